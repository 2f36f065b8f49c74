"""Settings -> the hardware catalogue. Owns reading the operator's file; its format is `domain/hardware_file.py`."""

from dataclasses import replace
from pathlib import Path

from orchestrator.domain.hardware import Hardware, catalogue
from orchestrator.domain.hardware_file import parse
from orchestrator.errors import Invalid
from orchestrator.settings import Settings


def flavors(settings: Settings) -> dict[str, Hardware]:
    """The flavours by name, the default first: those of PODIUM_HARDWARE or, without it, cpu-basic alone. Raises Invalid
    `HARDWARE_FILE` with file and line."""
    found = _read(settings)
    # The volume of a Space comes with its instance: where it has one writer, so have all flavours.
    return {name: replace(one, exclusive=True) for name, one in found.items()} if settings.one_writer else found


def _read(settings: Settings) -> dict[str, Hardware]:
    if not settings.hardware:
        return catalogue(
            settings.app_cpu, settings.app_memory, settings.app_disk, settings.app_processes, settings.app_files
        )
    try:
        text = Path(settings.hardware).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Invalid(
            "HARDWARE_FILE", f"PODIUM_HARDWARE is {settings.hardware!r}: {why}; mend it or unset it"
        ) from None
    return parse(text, settings.hardware)
