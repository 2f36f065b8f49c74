"""Domain values to JSON columns and back. Unknown members are dropped, so that a row written by the next version is readable."""

from dataclasses import asdict, fields

from orchestrator.domain.seen import Failures, Fault, Image

#: The largest number that a column for numbers has in every database; asked for a larger one, it is an error.
LAST = 2**31 - 1


def image_out(image: Image | None) -> dict | None:
    return asdict(image) if image else None


def image_in(value: dict | None) -> Image | None:
    if not value:
        return None
    known = {f.name: value[f.name] for f in fields(Image) if f.name in value}
    return Image(**{**known, "argv": tuple(known.get("argv", ()))})


def fault_out(fault: Fault | None) -> dict | None:
    return asdict(fault) if fault else None


def fault_in(value: dict | None) -> Fault | None:
    return Fault(**{f.name: value[f.name] for f in fields(Fault) if f.name in value}) if value else None


def failures_out(failures: Failures) -> dict | None:
    return asdict(failures) if failures.count else None


def failures_in(value: dict | None) -> Failures:
    if not value:
        return Failures()
    return Failures(value["launch_key"], value["count"], value["last_at"], fault_in(value.get("fault")))
