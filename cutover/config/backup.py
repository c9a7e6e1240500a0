"""`backup:` of `cutover.yaml`: what a backup before a swap holds besides the files, and which backups are kept."""

from __future__ import annotations

from pydantic import Field

from cutover.config.base import Model


class Keep(Model):
    """How many backups are kept: what no rule names is removed."""

    last: int = Field(10, ge=0, description="the newest so many")
    daily: int = Field(7, ge=0, description="the newest of each of so many days that have one")
    weekly: int = Field(4, ge=0, description="the newest of each of so many weeks that have one, Monday to Sunday")
    monthly: int = Field(6, ge=0, description="the newest of each of so many months that have one")


class Backup(Model):
    """What is saved before a swap besides the files, and for how long. Days begin at midnight UTC."""

    keep: Keep | None = Field(Keep(), description="which backups are kept; null: all of them")
    volumes: bool | tuple[str, ...] = Field(
        False, description="volumes saved before a swap: true, false or their names"
    )
    images: bool = Field(False, description="save the images of the project's containers before a swap")
    encrypt: str | None = Field(None, description="age:RECIPIENT or gpg:KEY; every backup is encrypted to it")
