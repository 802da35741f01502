from movers()
