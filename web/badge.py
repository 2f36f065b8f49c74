"""A small picture of a Space's stage, for READMEs elsewhere."""

from html import escape

from fastapi import APIRouter, Depends, Response

from web.page import Console
from web.session import Visit
from web.shapes import stage_tone, stage_words

#: tone -> colour behind white words (contrast at least 4.5)
_COLORS = {"good": "#1a7f4b", "busy": "#955800", "calm": "#5d5a68", "bad": "#b3261e"}


def routes(console: Console) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/spaces/{owner}/{name}/badge.svg")
    def badge(owner: str, name: str, visit: Visit = Depends(console.visit)) -> Response:
        space = console.space(visit, owner, name)
        headers = {
            "Cache-Control": "no-cache, max-age=0",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        svg = drawn(space.name, stage_words(space.stage), _COLORS[stage_tone(space.stage)])
        return Response(svg, media_type="image/svg+xml", headers=headers)

    return router


def drawn(name: str, words: str, color: str) -> str:
    """The badge. Widths are those of the letters, about. Pure."""
    left, right = (round(18 + 6.6 * len(text)) for text in (name, words))
    name, words = escape(name), escape(words)
    font = 'font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" fill="#fff" text-anchor="middle"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{name}: {words}"><title>{name}: {words}</title>'
        f'<rect width="{left + right}" height="20" rx="4" fill="#2e2c37"/>'
        f'<path d="M{left} 0h{right - 4}a4 4 0 0 1 4 4v12a4 4 0 0 1-4 4h-{right - 4}z" fill="{color}"/>'
        f'<g {font}><text x="{left / 2}" y="14">{name}</text><text x="{left + right / 2}" y="14">{words}</text></g></svg>'
    )
