import time

print("loading weights, this takes a while", flush=True)
while True:
    time.sleep(60)
