"""What both peers share: commands as JSON lines on standard input, answers and events as JSON lines on standard output.

Every command has an "id" and is answered with {"id": …, "value": …} or {"id": …, "error": {…}}. The process ends when its
standard input does, so that no peer outlives the tests.
"""

import asyncio
import base64
import json
import os
import sys


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


class Refused(Exception):
    """Says what a refusal says, for versions without a permission check."""


async def lines():
    # Whole lines of any length: a StreamReader would stop at its limit.
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        yield json.loads(line)


def pattern(size):
    """What large payloads consist of, so that only their size has to be told."""
    return bytes(index * 31 & 0xFF for index in range(256)) * (size // 256) + bytes(
        index * 31 & 0xFF for index in range(size % 256)
    )


def payload(command):
    """The payload that a command describes: its size, or itself in base64."""
    if "size" in command:
        return pattern(command["size"])
    return base64.b64decode(command["payload"])


def described(content):
    if len(content) > 1_000 and content == pattern(len(content)):
        return {"size": len(content)}
    return {"payload": base64.b64encode(content).decode()}


class Granted:
    """Topic filters that the broker has granted, and who waits for them."""

    def __init__(self):
        self._filters = set()
        self._changed = asyncio.Condition()

    def watch(self, subscribe):
        async def wrapper(pattern, *rest):
            result = await subscribe(pattern, *rest)
            async with self._changed:
                self._filters.add(pattern)
                self._changed.notify_all()
            return result

        return wrapper

    async def wait(self, pattern):
        async with self._changed:
            await self._changed.wait_for(lambda: pattern in self._filters)


def register_methods(rpc, call):
    """The methods that every responder of the tests offers, in Swift and in Python."""

    @rpc.register("echo")
    async def echo(params):
        return params

    @rpc.register("add")
    def add(params):
        return {"sum": params["a"] + params["b"]}

    @rpc.register("nothing")
    async def nothing(params):
        return None

    @rpc.register("fail")
    async def fail(params):
        raise ValueError("Kaputt: ß 漢字")

    @rpc.register("silent")
    async def silent(params):
        await asyncio.Event().wait()

    @rpc.register("call_back")
    async def call_back(params):
        return {"they_said": await call(params["topic"], params["method"], params["params"], 20)}


async def serve(commands):
    """Runs commands until standard input ends; each in a task of its own."""

    async def answer(command):
        try:
            value = await commands[command["op"]](command)
            say({"id": command["id"], "value": value})
        except Exception as error:
            code = getattr(error, "code", None)
            details = {"type": type(error).__name__, "text": str(error), "code": code and int(code)}
            say({"id": command["id"], "error": details})

    tasks = set()
    async for command in lines():
        task = asyncio.create_task(answer(command))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def run(main):
    """Runs main with the arguments of the command line."""
    if "loguru" in sys.modules:
        from loguru import logger

        logger.remove()
        logger.add(sys.stderr, level="WARNING")

    async def body():
        await main(*sys.argv[1:])
        # Neither client ends on its own in reasonable time.
        sys.stdout.flush()
        os._exit(0)

    asyncio.run(body())
