import asyncio
import os
import time

import uvicorn
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse

VERSION = "1"
STARTED = time.time()

app = FastAPI()


@app.get("/version")
def version():
    return PlainTextResponse(VERSION)


@app.get("/")
def home():
    return PlainTextResponse(f"version {VERSION}")


@app.get("/about")
def about():
    return {"pid": os.getpid(), "started": STARTED, "version": VERSION}


@app.get("/env/{name}")
def env(name: str):
    return PlainTextResponse(os.environ.get(name, ""))


@app.api_route("/echo", methods=["GET", "POST", "PUT"])
async def echo(request: Request):
    return {"method": request.method, "headers": dict(request.headers), "bytes": len(await request.body())}


@app.get("/slow/{seconds}")
async def slow(seconds: float):
    await asyncio.sleep(seconds)
    return PlainTextResponse(VERSION)


@app.get("/stream/{count}")
def stream(count: int):
    async def events():
        for number in range(count):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.2)

    return StreamingResponse(events(), media_type="text/event-stream")


@app.get("/crash")
def crash():
    os._exit(3)


@app.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
    while True:
        await socket.send_text(await socket.receive_text())


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")), log_level="info")
