"""A handler is cancelled in the middle of a transaction; the next one finds it open."""

import asyncio
import sqlite3

import aiosqlite


async def save(database, text, gate):
    await database.execute("BEGIN")
    await gate.wait()
    await database.execute("INSERT INTO said VALUES (?)", (text,))
    await database.execute("COMMIT")


async def main():
    async with aiosqlite.connect(":memory:", isolation_level=None) as database:
        await database.execute("CREATE TABLE said (text TEXT)")
        ann = asyncio.create_task(save(database, "I was", asyncio.Event()))
        while not database.in_transaction:
            await asyncio.sleep(0.001)
        ann.cancel()
        await asyncio.wait([ann])
        try:
            await save(database, "and I?", asyncio.Event())
        except sqlite3.OperationalError as error:
            return str(error)


if __name__ == "__main__":
    print(asyncio.run(main()))
