"""The tables, the same in both engines, and what is cached of them.

A value says which version of its row it is, and which transaction wrote that: VERSION:NONCE. Rows are
numbered through all tables, for the ledger.
"""

ITEMS = range(0, 8)  # tracked by triggers
HAND = range(8, 12)  # invalidated by hand, tags and patterns included
OUTER = range(12, 16)  # SQLite: triggers that write the outbox in plain SQL
TEAMS, GROUPS = range(2), range(5)
TTL = 3600

ITEM = "SELECT version || ':' || nonce FROM items WHERE id = %s"
HANDMADE = "SELECT version || ':' || nonce FROM hand WHERE id = %s"
OUTSIDE = "SELECT version || ':' || nonce FROM outer_items WHERE id = %s"
LIST = {"pg": "string_agg(id || '=' || version || ':' || nonce, ',')",
        "sqlite": "group_concat(id || '=' || version || ':' || nonce, ',')"}


def team_of(row):
    return row % len(TEAMS)


def rows_of_team(team):
    return [row for row in HAND if team_of(row) == team]


def groups_of(row):
    return [row % 2, 2 + row % 3]


def team_query(engine, team):
    return "SELECT %s FROM hand WHERE id IN (%s)" % (
        LIST[engine], ", ".join(str(row) for row in rows_of_team(team)))


def group_query(engine, parameter):
    return ("SELECT %s FROM items WHERE id IN (SELECT item_id FROM members WHERE group_id = %s)"
            % (LIST[engine], parameter))


def tables(engine):
    """Statements that make everything, once."""
    yield ("CREATE TABLE items (id integer PRIMARY KEY, version bigint NOT NULL, nonce text NOT NULL, "
           "slot integer NOT NULL UNIQUE)")
    yield "CREATE TABLE members (item_id integer, group_id integer)"
    yield "CREATE TABLE hand (id integer PRIMARY KEY, version bigint NOT NULL, nonce text NOT NULL)"
    yield "CREATE TABLE outer_items (id integer PRIMARY KEY, version bigint NOT NULL, nonce text NOT NULL)"
    yield "CREATE TABLE done (nonce text)"
    yield "CREATE TABLE noise (worker integer)"
    for row in ITEMS:
        yield "INSERT INTO items VALUES (%d, 1, 'first', %d)" % (row, row)
        for group in groups_of(row):
            yield "INSERT INTO members VALUES (%d, %d)" % (row, group)
    for row in HAND:
        yield "INSERT INTO hand VALUES (%d, 1, 'first')" % row
    for row in OUTER:
        yield "INSERT INTO outer_items VALUES (%d, 1, 'first')" % row
    yield ("SELECT redis_invalidate_on('items', 'item:{id}', 'got:{id}', 'plain:{id}', "
           "'SELECT ''group:'' || group_id FROM members WHERE item_id = {id}')")
    if engine == "sqlite":
        yield "SELECT redis_config('trigger_mode', 'outbox')"
    yield "SELECT redis_invalidate_on('outer_items', 'outer:{id}')"


VERSIONS = ("SELECT id, version, nonce FROM items UNION ALL SELECT id, version, nonce FROM hand "
            "UNION ALL SELECT id, version, nonce FROM outer_items")
