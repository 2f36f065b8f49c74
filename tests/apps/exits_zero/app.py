print("the interface was made, and nobody launched it", flush=True)
