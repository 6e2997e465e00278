"""Certificates by the million: copies of one that the province earned, with ids and places of their own."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql

from bench.instance import Instance

# What a copy cannot share with another; n numbers the copies.
_OWN = {
    "id": "gen_random_uuid()",
    "person_id": "gen_random_uuid()",
    "enrolment_id": "gen_random_uuid()",
    "attempt_id": "gen_random_uuid()",
    # The register finds a certificate by the digest of its file.
    "pdf_sha256": "sha256(gen_random_uuid()::text::bytea)",
}


def copy_certificates(instance: Instance, numbers: str, columns: Mapping[str, str]) -> None:
    """Insert one copy for each ``n`` of the query ``numbers``; ``columns`` are SQL expressions of ``n`` by column.

    Keys and triggers are not looked at: nothing but the certificates' own table is filled.
    """
    with psycopg.connect(instance.admin_url) as connection:
        found = connection.execute(
            "select column_name::text from information_schema.columns"
            " where table_name = 'certs_certificate' and is_generated = 'NEVER' order by ordinal_position"
        )
        names = [name for (name,) in found]
        own = {**_OWN, **columns}
        values = [
            sql.SQL(own[name]) if name in own else sql.SQL("one.{}").format(sql.Identifier(name)) for name in names
        ]
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            sql.SQL(
                "insert into certs_certificate ({names}) select {values} from ({numbers}) numbered(n)"
                " cross join (select * from certs_certificate where state = 'issued' limit 1) one"
            ).format(
                names=sql.SQL(", ").join(map(sql.Identifier, names)),
                values=sql.SQL(", ").join(values),
                numbers=sql.SQL(numbers),
            )
        )
    with psycopg.connect(instance.admin_url, autocommit=True) as connection:
        connection.execute("vacuum analyze certs_certificate")
