"""Tries every wall of a filled database: who owns a row reads it, who does not can do nothing to it.

All tables come from pg_class, never from a list, so that a new table is tried or fails.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from lms.core.tenancy import ALL, Scope, ScopeRole, enter_statement
from tests.walls import exceptions

Connection = psycopg.Connection[tuple[Any, ...]]
OWNING = ("person", "tenant", "region")
SCOPES = (*OWNING, "auth", "public", "audit")
ELSEWHERE = (990000, 1000000)
"""A region in which nothing lies."""

TABLES = """
select c.relname, c.relrowsecurity from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by c.relname
"""
GRANTS = """
select g.person_id, g.tenant_id, g.role, d.region_lo, d.region_hi, d.industries, d.schemes
from accounts_role_grant g left join accounts_department_scope d on d.tenant_id = g.tenant_id
"""
COLUMNS = """
select a.attname from pg_attribute a
where a.attrelid = %(table)s::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
and has_column_privilege('anzheng_' || %(scope)s, a.attrelid, a.attnum, %(command)s) order by a.attnum
"""


@dataclass(frozen=True, slots=True)
class Foreigner:
    """Scopes that own nothing: fresh ids, and a region where nothing lies."""

    scope: Scope

    @classmethod
    def of(cls, name: str) -> Foreigner:
        role, fresh = ScopeRole(f"anzheng_{name}"), uuid.uuid4
        if name == "person":
            return cls(Scope(role, actor_id=None, person_id=fresh(), tenant_id=fresh()))
        if name == "tenant":
            return cls(Scope(role, actor_id=fresh(), tenant_id=fresh()))
        if name == "region":
            lo, hi = ELSEWHERE
            ids = {"actor_id": fresh(), "tenant_id": fresh()}
            return cls(Scope(role, **ids, region_lo=lo, region_hi=hi, industries=ALL, schemes=ALL))
        return cls(Scope(role))


@dataclass(slots=True)
class Inspection:
    """One pass over the database. ``problems`` is empty when every wall stands."""

    connection: Connection
    problems: list[str] = field(default_factory=list)
    used: set[tuple[str, ...]] = field(default_factory=set)

    def run(self) -> list[str]:
        """Try everything; the database is left as it was."""
        self.check_structure()
        owners = list(self._owners())
        for table, has_walls in self._rows(TABLES):
            if has_walls:
                self._check_own(table, owners)
                for name in SCOPES:
                    self._check_foreign(table, name)
        self._check_list_is_needed()
        return self.problems

    def check_structure(self) -> list[str]:
        """Compare what there is with what is listed; needs no rows."""
        for table, has_walls in self._rows(TABLES):
            if table in exceptions.REFERENCE or table in exceptions.INTERNAL:
                self._check_open(table, has_walls)
            elif not has_walls:
                self.problems.append(f"{table}: no row-level security and not listed")
        self._check_policies()
        self._check_views()
        self._check_definers()
        self._check_roles()
        return self.problems

    def _rows(self, query: str, values: Mapping[str, object] | None = None) -> Sequence[tuple[Any, ...]]:
        return self.connection.execute(query.encode(), values).fetchall()

    def _owners(self) -> Iterator[Scope]:
        """Yield the scopes that the people of this database really take."""
        for person_id, tenant_id, role, lo, hi, industries, schemes in self._rows(GRANTS):
            if role == "trainee":
                yield Scope(ScopeRole.PERSON, person_id=person_id, tenant_id=tenant_id)
            elif lo is not None:
                yield Scope(
                    ScopeRole.REGION,
                    actor_id=person_id,
                    tenant_id=tenant_id,
                    region_lo=lo,
                    region_hi=hi,
                    industries=tuple(industries),
                    schemes=tuple(schemes),
                )
            else:
                yield Scope(ScopeRole.TENANT, actor_id=person_id, tenant_id=tenant_id)
            yield Scope(ScopeRole.PERSON, person_id=person_id, tenant_id=tenant_id)

    def _try(self, scope: Scope, query: sql.Composed, values: Sequence[object] = ()) -> int | str:
        """Run one statement in a scope and take it back; return its rows, or what refused it."""
        try:
            with self.connection.transaction(force_rollback=True):
                self.connection.execute(enter_statement(scope, read_only=False, begin=False))
                cursor = self.connection.execute(query, values or None)
                if cursor.description:
                    row = cursor.fetchone()
                    return int(row[0]) if row else 0
                return cursor.rowcount
        except psycopg.errors.InsufficientPrivilege:
            return 0
        except psycopg.Error as error:
            return type(error).__name__

    def _columns(self, table: str, name: str, command: str) -> list[str]:
        return [row[0] for row in self._rows(COLUMNS, {"table": table, "scope": name, "command": command})]

    def _check_own(self, table: str, owners: Sequence[Scope]) -> None:
        """Whoever may read the table reads something of their own."""
        count = sql.SQL("select count(*) from {}").format(sql.Identifier(table))
        filled = self._rows(f"select 1 from {table} limit 1")
        if table in exceptions.UNFILLED:
            self.used.add(("unfilled", table))
            return
        if not filled:
            self.problems.append(f"{table}: the journey left it empty, so its wall is not tried")
            return
        for name in OWNING:
            if not self._columns(table, name, "select"):
                continue
            own = [scope for scope in owners if scope.role.value == f"anzheng_{name}"]
            if any(self._try(scope, count) for scope in own):
                continue
            if (table, name) in exceptions.NOT_READ:
                self.used.add(("not_read", table, name))
            else:
                self.problems.append(f"{table}: no {name} scope of this database reads its own rows")

    def _check_foreign(self, table: str, name: str) -> None:
        """Nothing goes through for a scope that owns nothing here."""
        scope, what = Foreigner.of(name).scope, sql.Identifier(table)
        went = {"select": self._try(scope, sql.SQL("select count(*) from {}").format(what))}
        if columns := self._columns(table, name, "update"):
            column = sql.Identifier(columns[0])
            went["update"] = self._try(scope, sql.SQL("update {} set {} = {}").format(what, column, column))
        went["delete"] = self._try(scope, sql.SQL("delete from {}").format(what))
        went["insert"] = self._insert(table, name, scope)
        for command, rows in went.items():
            if not rows:
                continue
            if (table, name, command) in exceptions.DOORS:
                self.used.add(("door", table, name, command))
            else:
                self.problems.append(f"{table}: a foreign {name} scope got through with {command} ({rows})")

    def _insert(self, table: str, name: str, scope: Scope) -> int | str:
        """Add a copy of a row of somebody else's under a new id; constraints come after the walls."""
        columns = self._columns(table, name, "insert")
        sample = self._rows(f"select to_jsonb(t) from {table} t limit 1")
        if not columns:
            return 0
        row = dict(sample[0][0]) if sample else {}
        if "id" in row:
            row["id"] = str(uuid.uuid4())
        listed = sql.SQL(", ").join(map(sql.Identifier, columns))
        query = sql.SQL("insert into {table} ({listed}) select {listed} from jsonb_populate_record(null::{table}, %s)")
        return self._try(scope, query.format(table=sql.Identifier(table), listed=listed), [Jsonb(row)])

    def _check_open(self, table: str, has_walls: bool) -> None:
        if has_walls:
            self.problems.append(f"{table}: listed as open but has row-level security")
        self.used.add(("open", table))
        forbidden = ("insert", "update", "delete")
        for name in SCOPES:
            for command in (*forbidden, *(("select",) if table in exceptions.INTERNAL else ())):
                if self._columns(table, name, command) if command != "delete" else self._may_delete(table, name):
                    self.problems.append(f"{table}: scope {name} may {command}")

    def _may_delete(self, table: str, name: str) -> bool:
        found = self._rows(
            "select has_table_privilege('anzheng_' || %(scope)s, %(table)s, 'delete')", {"scope": name, "table": table}
        )
        return bool(found[0][0])

    def _check_policies(self) -> None:
        """A policy looks at who asks, or is a listed door; trying copies of rows alone could miss one that does not.

        Before sign-in and for visitors there is nobody to look at: each of their policies is a door.
        """
        query = (
            "select tablename, roles::text[], lower(cmd), coalesce(qual, ''), coalesce(with_check, '') from pg_policies"
        )
        for table, roles, command, using, check in self._rows(query):
            for role in roles:
                name = role.removeprefix("anzheng_")
                asks = "app." in (check or using) and (not using or "app." in using)
                if name not in SCOPES or asks or self._is_door(table, name, command, using):
                    continue
                self.problems.append(f"{table}: policy for {name} {command} does not look at who asks")

    def _is_door(self, table: str, name: str, command: str, using: str) -> bool:
        if (table, name, command) in exceptions.DOORS:
            self.used.add(("door", table, name, command))
            return True
        # A condition over another table with walls inherits them; rows that pass it were tried as a foreigner.
        return " from " in f" {using.lower()} "

    def _check_views(self) -> None:
        query = """select c.relname, coalesce('security_invoker=true' = any(c.reloptions), false), c.oid from pg_class c
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('v', 'm')"""
        for view, invoker, _oid in self._rows(query):
            if view not in exceptions.VIEWS:
                self.problems.append(f"{view}: a view that is not listed")
            self.used.add(("view", view))
            readers = [name for name in SCOPES if self._columns(view, name, "select")]
            if readers and not invoker:
                self.problems.append(f"{view}: {', '.join(readers)} read it past the walls")

    def _check_definers(self) -> None:
        query = """select p.proname, coalesce(array_to_string(p.proconfig, ','), '') like '%search_path=%',
            exists (select 1 from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0)
            from pg_proc p where p.prosecdef and p.pronamespace = 'public'::regnamespace"""
        for function, has_path, for_all in self._rows(query):
            if function not in exceptions.DEFINERS:
                self.problems.append(f"{function}: SECURITY DEFINER and not listed")
            if not has_path or for_all:
                self.problems.append(f"{function}: no fixed search path, or everybody may call it")
            self.used.add(("definer", function))

    def _check_roles(self) -> None:
        query = "select rolname from pg_roles where rolname like 'anzheng%' and (rolbypassrls or rolsuper)"
        for (role,) in self._rows(query):
            self.problems.append(f"role {role} stands above the walls")
        query = """select c.relname from pg_class c join pg_roles r on r.oid = c.relowner
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and r.rolcanlogin
            and c.relname <> 'alembic_version'"""
        for (table,) in self._rows(query):
            self.problems.append(f"{table}: belongs to a role that can log in")

    def _check_list_is_needed(self) -> None:
        listed: set[tuple[str, ...]] = {("open", name) for name in (*exceptions.REFERENCE, *exceptions.INTERNAL)}
        listed |= {("view", name) for name in exceptions.VIEWS}
        listed |= {("definer", name) for name in exceptions.DEFINERS}
        listed |= {("door", *key) for key in exceptions.DOORS}
        listed |= {("unfilled", name) for name in exceptions.UNFILLED}
        listed |= {("not_read", *key) for key in exceptions.NOT_READ}
        self.problems += [f"listed without need: {' '.join(entry)}" for entry in sorted(listed - self.used)]


def broken_walls(admin_url: str) -> list[str]:
    """Return every hole in the walls of a filled database; ``admin_url`` is a superuser's."""
    with psycopg.connect(admin_url) as connection:
        found = Inspection(connection).run()
        connection.rollback()
        return found
