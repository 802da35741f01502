from unusual()
