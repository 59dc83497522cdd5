"""Curves as SVG, written by hand so that a file has a few kilobytes and the same data give the same bytes."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 30, 40, 78
COLOURS = {"perdure": "#0b6e4f", "perdure_off": "#7bc8a4", "kamailio_kemi": "#c8553d", "kamailio_native": "#f2a65a", "floor": "#7a7a7a"}
NAMES = {
    "perdure": "Perdure",
    "perdure_off": "Perdure, persist = off",
    "perdure_routes": "Perdure, persist = routes",
    "kamailio_kemi": "Kamailio, the same Lua script",
    "kamailio_native": "Kamailio, native language",
    "floor": "the floor: only forwards",
}


def ticks(most):
    """Round numbers from 0 to a little over `most`, about five."""
    step = 10 ** math.floor(math.log10(most / 4))
    step = next(step * factor for factor in (1, 2, 2.5, 5, 10) if step * factor * 6 >= most)
    return [i * step for i in range(math.ceil(most / step) + 1)]


def number(value):
    return f"{value:,.0f}" if value == round(value) else f"{value:,g}"


def legend(names):
    parts, per_row = [], 3
    for i, name in enumerate(names):
        x, y = LEFT + (i % per_row) * 190, HEIGHT - 26 + (i // per_row) * 16
        parts.append(f'<rect x="{x}" y="{y - 8}" width="10" height="10" fill="{COLOURS[name]}"/><text x="{x + 15}" y="{y + 1}">{escape(NAMES[name])}</text>')
    return parts


def frame(title, y_ticks, y_of, y_label):
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11" fill="#222">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="18" font-size="14" font-weight="bold">{escape(title)}</text>',
        f'<text x="{LEFT}" y="33" fill="#666">{escape(y_label)}</text>',
    ]
    for value in y_ticks:
        y = y_of(value)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/><text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>')
    return parts


def lines(title, x_label, y_label, series, logarithmic=False):
    """`series`: {server: [(x, y)]}. The y axis begins at 0, or is logarithmic."""
    series = {name: sorted(points) for name, points in series.items() if points}
    x_ticks = ticks(max(x for points in series.values() for x, _ in points))
    most = max(y for points in series.values() for _, y in points)
    if logarithmic:
        least = min(y for points in series.values() for _, y in points)
        low, high = math.floor(math.log10(least)), math.ceil(math.log10(most))
        y_ticks = [10.0**power for power in range(low, high + 1)]
        share = lambda y: (math.log10(y) - low) / max(high - low, 1)
    else:
        y_ticks = ticks(most)
        share = lambda y: y / y_ticks[-1]
    x_of = lambda x: LEFT + (WIDTH - LEFT - RIGHT) * x / x_ticks[-1]
    y_of = lambda y: HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share(y)
    parts = frame(title, y_ticks, y_of, y_label)
    for value in x_ticks:
        parts.append(f'<text x="{x_of(value):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{number(value)}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - BOTTOM + 32}" text-anchor="end" fill="#666">{escape(x_label)}</text>')
    for name, points in series.items():
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
        parts += [f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3" fill="{COLOURS[name]}"/>' for x, y in points]
    return "\n".join(parts + legend(series)) + "\n</svg>\n"


def bars(title, y_label, values):
    """`values`: {server: number}."""
    y_ticks = ticks(max(values.values()))
    y_of = lambda y: HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / y_ticks[-1]
    parts = frame(title, y_ticks, y_of, y_label)
    width = (WIDTH - LEFT - RIGHT) / len(values)
    for i, (name, value) in enumerate(values.items()):
        x, y = LEFT + i * width + width * 0.2, y_of(value)
        parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width * 0.6:.1f}" height="{HEIGHT - BOTTOM - y:.1f}" fill="{COLOURS[name]}"/>')
        parts.append(f'<text x="{x + width * 0.3:.1f}" y="{y - 4:.1f}" text-anchor="middle">{number(round(value))}</text>')
    return "\n".join(parts + legend(values)) + "\n</svg>\n"
