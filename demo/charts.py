"""Bars and columns as plain HTML: readable without scripts, without colour vision and in both colour schemes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

NARROWEST_WITH_NUMBER = 6.0
"""Percent of the bar below which a number does not fit into a part; the table below has it."""


def stacked(rows: Iterable[tuple[str, str, Sequence[tuple[str, int]], str]], whole: int) -> str:
    """Rows of (name, note, [(class, count)], value to the right), all on the scale 0..whole."""
    return _chart((name, note, _parts(parts, whole), value) for name, note, parts, value in rows)


def bars(rows: Iterable[tuple[str, str, Sequence[tuple[str, float]], str]], whole: float) -> str:
    """Like `stacked`, without numbers inside the bars."""
    return _chart((name, note, _plain(parts, whole), value) for name, note, parts, value in rows)


def columns(counts: Sequence[int], ticks: Sequence[str], css: str) -> str:
    """A histogram; `ticks` name the columns."""
    highest = max((*counts, 1))
    drawn = "".join(
        f"<div>{count or ''}<i class={css} style='height:{80 * count / highest:.1f}%'></i></div>" for count in counts
    )
    named = "".join(f"<span>{escape(tick)}</span>" for tick in ticks)
    return f"<div class=columns>{drawn}</div><div class=ticks aria-hidden=true>{named}</div>"


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """Entries of (class, text)."""
    listed = "".join(f"<li><i class={css}></i>{escape(text)}</li>" for css, text in entries)
    return f"<ul class=legend>{listed}</ul>"


def table(header: Sequence[str], rows: Iterable[Sequence[object]], foot: Sequence[object] = (), css: str = "") -> str:
    """`css` second-left: the second column holds text, which is set left like the first."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(_row(row) for row in rows)
    last = f"<tfoot>{_row(foot)}</tfoot>" if foot else ""
    rows_drawn = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>{last}"
    return f"<div class=scroll><table class='{css}'>{rows_drawn}</table></div>"


def _row(cells: Sequence[object]) -> str:
    return "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"


def _chart(rows: Iterable[tuple[str, str, str, str]]) -> str:
    drawn = "".join(
        f"<div class=name>{escape(name)}{f'<small>{escape(note)}</small>' if note else ''}</div>"
        f"{bar}<div class=value>{escape(value)}</div>"
        for name, note, bar, value in rows
    )
    return f"<div class=chart>{drawn}</div>"


def _parts(parts: Sequence[tuple[str, int]], whole: int) -> str:
    drawn = "".join(_part(css, count, 100 * count / max(1, whole)) for css, count in parts if count)
    return f"<div class=bar>{drawn}</div>"


def _part(css: str, count: int, percent: float) -> str:
    shown = count if percent >= NARROWEST_WITH_NUMBER else ""
    return f"<i class={css} style='width:{percent:.2f}%' title='{count} {css}'>{shown}</i>"


def _plain(parts: Sequence[tuple[str, float]], whole: float) -> str:
    shares = [(css, 100 * part / (whole or 1)) for css, part in parts if part > 0]
    drawn = "".join(f"<i class={css} style='width:{share:.2f}%'></i>" for css, share in shares)
    return f"<div class='bar thin'>{drawn}</div>"
