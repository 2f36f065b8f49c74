"""A small web service. Its own documentation is at /docs."""

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

app = FastAPI(title="My service")


@app.get("/", response_class=HTMLResponse)
def home() -> str:
    return (
        "<h1>It works</h1><p>Try <a href='double?number=21'>double?number=21</a> or read <a href='docs'>docs</a>.</p>"
    )


@app.get("/double")
def double(number: float) -> dict[str, float]:
    return {"result": 2 * number}
