from incidents(0.05)
