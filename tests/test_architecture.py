"""Test that the package's imports match the rooms in docs/architecture.md."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support.documentation import code_in, table_rows
from tests.support.services import REPOSITORY

PACKAGE = REPOSITORY / "data_capture"
MAIN = PACKAGE / "__main__.py"  # may import any room, because nothing imports it


def documented_rooms() -> dict[str, set[str]]:
    """Return each room and the rooms that it imports, in the order of the page."""
    return {
        code_in(place)[0].removeprefix("data_capture/").rstrip("/"): {*code_in(imports)}
        for place, _, imports in table_rows("docs/architecture.md", "## Rooms")
    }


def room_of(module: str) -> str:
    name = module.split(".")[1] if "." in module else ""
    return name if (PACKAGE / name).is_dir() else ""


def rooms_imported_by(path: Path) -> set[str]:
    """Return the rooms that a file imports, also inside functions."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        rooms |= {room_of(name) for name in modules if name.split(".")[0] == PACKAGE.name}
    return rooms


def files_of(room: str) -> list[Path]:
    return [*(PACKAGE / room).rglob("*.py")] if room else [*PACKAGE.glob("*.py")]


def test_every_folder_is_a_documented_room() -> None:
    folders = {path.parent.relative_to(PACKAGE).parts[:1] for path in PACKAGE.rglob("*.py")}
    assert {"".join(parts) for parts in folders} == {*documented_rooms()}


def test_each_room_imports_exactly_its_documented_rooms() -> None:
    for room, documented in documented_rooms().items():
        files = [path for path in files_of(room) if path != MAIN]
        imported = set().union(*map(rooms_imported_by, files)) - {room, ""}
        assert imported == documented, room


def test_no_room_imports_a_room_listed_below_it() -> None:
    rooms = [*documented_rooms()]
    for place, (room, imported) in enumerate(documented_rooms().items()):
        assert imported <= {*rooms[:place]}, room


def test_init_files_contain_only_re_exports() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        for node in ast.parse(path.read_text()).body:
            is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            is_assignment = isinstance(node, ast.Assign) and isinstance(
                node.value, (ast.List, ast.Constant)
            )
            is_import = isinstance(node, (ast.Import, ast.ImportFrom))
            assert is_docstring or is_assignment or is_import, path
