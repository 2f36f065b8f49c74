"""Small charts as SVG, drawn here: no script, no style of its own, readable without colours and by screen readers. Pure."""

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 600, 120
_LEFT, _BOTTOM, _TOP = 40, 18, 8


def columns(
    points: Sequence[tuple[str, float]], label: str, digits: int = 0, every: int = 1, bad: bool = False
) -> Markup:
    """Columns from zero, one for each (name, value). `every`: name each so many-th below. "" without any."""
    if not points:
        return Markup("")
    top = nice(max(value for _, value in points))
    step = (_WIDTH - _LEFT) / len(points)
    wide = max(1.0, min(step * 0.72, 60.0))
    pieces = [_axis(top, digits)]
    for index, (name, value) in enumerate(points):
        tall = _scale(value, top)
        x = _LEFT + index * step + (step - wide) / 2
        shown = f"{escape(name)}: {value:,.{digits}f}"
        pieces.append(
            f'<g><title>{shown}</title><rect class="column{" bad" if bad else ""}" x="{x:.1f}" '
            f'y="{_HEIGHT - _BOTTOM - tall:.1f}" width="{wide:.1f}" height="{max(tall, 1.5 if value else 0):.1f}" rx="2"/></g>'
        )
        if index % every == 0:
            anchor = min(max(x + wide / 2, _LEFT + 14), _WIDTH - 18)
            pieces.append(f'<text x="{anchor:.1f}" y="{_HEIGHT - 4}" text-anchor="middle">{escape(name)}</text>')
    return _svg(label, pieces)


def lines(
    series: Sequence[tuple[str, Sequence[float | None]]], names: Sequence[str], label: str, every: int = 1
) -> Markup:
    """One line for each (name, values); None is a gap. `names` stand below the values."""
    values = [value for _, line in series for value in line if value is not None]
    if not values:
        return Markup("")
    top = nice(max(values))
    step = (_WIDTH - _LEFT) / max(1, len(names))
    pieces = [_axis(top, 0 if top >= 10 else 1)]
    for number, (name, line) in enumerate(series):
        path, pen = [], "M"
        for index, value in enumerate(line):
            if value is None:
                pen = "M"
                continue
            x, y = _LEFT + (index + 0.5) * step, _HEIGHT - _BOTTOM - _scale(value, top)
            path.append(f"{pen}{x:.1f} {y:.1f}")
            pen = "L"
            title = f"<title>{escape(names[index])}, {escape(name)}: {value:,.0f}</title>"
            pieces.append(f'<circle class="line{number}" cx="{x:.1f}" cy="{y:.1f}" r="2.2">{title}</circle>')
        pieces.append(f'<path class="line{number}" d="{" ".join(path)}"/>')
    for index in range(0, len(names), every):
        x = min(max(_LEFT + (index + 0.5) * step, _LEFT + 14), _WIDTH - 18)
        pieces.append(f'<text x="{x:.1f}" y="{_HEIGHT - 4}" text-anchor="middle">{escape(names[index])}</text>')
    return _svg(label, pieces)


def nice(value: float) -> float:
    """The next round number: 1, 2 or 5 times a power of ten."""
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= value * 0.999999)


def _scale(value: float, top: float) -> float:
    return max(0.0, value) / top * (_HEIGHT - _BOTTOM - _TOP)


def _axis(top: float, digits: int) -> str:
    """Lines at nothing, the half and the whole."""
    found = []
    for part in (0.0, 0.5, 1.0):
        y = _HEIGHT - _BOTTOM - part * (_HEIGHT - _BOTTOM - _TOP)
        found.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH}"/>')
        if part:
            shown = short(top * part, digits)
            found.append(f'<text x="{_LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{shown}</text>')
    return "".join(found)


def short(value: float, digits: int = 0) -> str:
    """`950`, `1.5k`, `2M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.1f}".removesuffix(".0") + unit
    return f"{value:.{max(digits, 0 if value == int(value) else 1)}f}"


def _svg(label: str, pieces: list[str]) -> Markup:
    return Markup(
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">{"".join(pieces)}</svg>'
    )
