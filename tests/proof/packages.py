"""The licences of everything that is there at run time, from the packages' own metadata."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import pandas as pd
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

RUN_TIME = ("book", "literature", "nlme", "metrics", "cluster")
"""Extras that a reader uses; `data` and `test` serve those who rebuild or check."""
_GPL = re.compile(r"(?<!L)\bA?GPL|(?<!Lesser )(?<!Library or Lesser )General Public", re.IGNORECASE)


def licences(extras: tuple[str, ...] = RUN_TIME) -> pd.DataFrame:
    """One row a package that agmpk with these extras needs, directly or through others, as far as
    it is installed.

    Columns: package, version, licence, gpl (whether a GPL, not the LGPL, is all that is offered).
    """
    found: dict[str, Distribution] = {}
    pending = [("agmpk", set(extras))]
    done: set[tuple[str, frozenset[str]]] = set()
    while pending:
        name, wanted = pending.pop()
        if (name, frozenset(wanted)) in done:
            continue
        done.add((name, frozenset(wanted)))
        try:
            one = distribution(name)
        except PackageNotFoundError:
            continue  # for another system or Python
        found[name] = one
        for line in one.requires or ():
            need = Requirement(line)
            if need.marker is None or any(
                need.marker.evaluate({"extra": extra}) for extra in ("", *wanted)
            ):
                pending.append((canonicalize_name(need.name), set(need.extras)))
    del found["agmpk"]
    rows = [(name, one.version, licence_of(one)) for name, one in sorted(found.items())]
    table = pd.DataFrame(rows, columns=["package", "version", "licence"])
    choices = table.licence.str.split(r" OR | / |; ", regex=True)
    table["gpl"] = [all(_GPL.search(one) for one in found) for found in choices]
    return table


def licence_of(one: Distribution) -> str:
    """The licence that a package states, in a few words; '' where it states none."""
    about = one.metadata
    if about.get("License-Expression"):
        return about["License-Expression"]
    lines = [line for line in about.get_all("Classifier") or () if line.startswith("License :: ")]
    classified = [line.rpartition(" :: ")[2] for line in lines if not line.endswith("OSI Approved")]
    if classified:
        return "; ".join(classified)
    return ((about.get("License") or "").strip().splitlines() or [""])[0][:60]
