"""Small charts as SVG, drawn here: no script, no style of its own, readable without colours and by screen readers. Pure."""

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 600, 120
_LEFT, _BOTTOM, _TOP = 40, 18, 8
#: (name, values): None is a gap.
Series = Sequence[tuple[str, Sequence[float | None]]]


def columns(
    points: Sequence[tuple[str, float]], label: str, digits: int = 0, every: int = 1, bad: bool = False
) -> Markup:
    """Columns from zero, one for each (name, value). `every`: name each so many-th below. "" without any, a word where all
    are zero."""
    if not points:
        return Markup("")
    if not any(value for _, value in points):
        return Markup('<p class="quiet">None in this time.</p>')
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


def lines(series: Series, names: Sequence[str], label: str, every: int = 1) -> Markup:
    """One line for each (name, values); None is a gap. `names` stand below the values. "" when nothing is known."""
    return _over(series, names, label, every, _dots)


def _dots(series: Series, names: Sequence[str], step: float, top: float) -> list[str]:
    pieces = []
    for number, (name, line) in enumerate(series):
        path, pen = [], "M"
        for index, value in enumerate(line):
            if value is None:
                pen = "M"
                continue
            x, y = _at(index, value, step, top)
            path.append(f"{pen}{x:.1f} {y:.1f}")
            pen = "L"
            title = f"<title>{escape(names[index])}, {escape(name)}: {value:,.0f}</title>"
            pieces.append(f'<circle class="line{number}" cx="{x:.1f}" cy="{y:.1f}" r="2.2">{title}</circle>')
        pieces.append(f'<path class="line{number}" d="{" ".join(path)}"/>')
    return pieces


def curves(series: Series, names: Sequence[str], label: str, every: int = 1) -> Markup:
    """As `lines`, of many points: no dots, and one title for each point tells all series."""
    return _over(series, names, label, every, _traces)


def _traces(series: Series, names: Sequence[str], step: float, top: float) -> list[str]:
    pieces, digits = [], 0 if top >= 10 else 2
    for number, (_, line) in enumerate(series):
        points = [None if value is None else _at(index, value, step, top) for index, value in enumerate(line)]
        pieces.append(f'<path class="line{number}" d="{_path(points, step)}"/>')
    for index, name in enumerate(names):
        told = [f"{escape(word)} {line[index]:,.{digits}f}" for word, line in series if line[index] is not None]
        if told:
            x, title = _LEFT + index * step, f"<title>{escape(name)}: {', '.join(told)}</title>"
            box = f'x="{x:.1f}" y="{_TOP}" width="{step:.1f}" height="{_HEIGHT - _BOTTOM - _TOP}"'
            pieces.append(f'<rect class="spot" {box}>{title}</rect>')
    return pieces


def _over(
    series: Series, names: Sequence[str], label: str, every: int,
    draw: Callable[[Series, Sequence[str], float, float], list[str]],
) -> Markup:  # fmt: skip
    """What `draw(series, names, step, top)` draws, with an axis beside and each of `every` names below."""
    values = [value for _, line in series for value in line if value is not None]
    if not values:
        return Markup("")
    top, step = nice(max(values)), (_WIDTH - _LEFT) / max(1, len(names))
    pieces = [_axis(top, 0 if top >= 10 else 1), *draw(series, names, step, top)]
    for index in range(0, len(names), every):
        x = min(max(_LEFT + (index + 0.5) * step, _LEFT + 14), _WIDTH - 18)
        pieces.append(f'<text x="{x:.1f}" y="{_HEIGHT - 4}" text-anchor="middle">{escape(names[index])}</text>')
    return _svg(label, pieces)


def _at(index: int, value: float, step: float, top: float) -> tuple[float, float]:
    return _LEFT + (index + 0.5) * step, _HEIGHT - _BOTTOM - _scale(value, top)


def _path(points: Sequence[tuple[float, float] | None], step: float) -> str:
    """A line through the points; None is a gap, and a point between two gaps a dash of its own."""
    found: list[str] = []
    for index, point in enumerate(points):
        if point is None:
            continue
        x, y = point
        before = index and points[index - 1] is not None
        after = index + 1 < len(points) and points[index + 1] is not None
        found.append(f"{'L' if before else 'M'}{x:.1f} {y:.1f}")
        if not before and not after:
            found.append(f"h{step / 2:.1f}")
    return "".join(found)


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
