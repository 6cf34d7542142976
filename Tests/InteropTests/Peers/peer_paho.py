"""An MQTT client built on Paho. It connects, publishes and subscribes as it is told."""

import asyncio

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

import peer

VERSIONS = {"3.1.1": paho.MQTTv311, "5.0": paho.MQTTv5}


def properties(kind, values):
    """From JSON, with Paho's names; nothing where there are none."""
    if not values:
        return None
    result = Properties(kind)
    for name, value in values.items():
        if name == "UserProperty":
            value = [tuple(pair) for pair in value]
        elif name == "CorrelationData":
            value = value.encode()
        setattr(result, name, value)
    return result


def plain(values):
    """Paho's properties as JSON."""
    result = dict(vars(values)) if values else {}
    result.pop("packetType", None)
    result.pop("types", None)
    result.pop("names", None)
    result.pop("properties", None)
    if "CorrelationData" in result:
        result["CorrelationData"] = result["CorrelationData"].decode()
    return result


class Peer:
    def __init__(self):
        self._loop = asyncio.get_running_loop()
        self._client = None
        self._waiting = {}
        self._early = {}

    # Called on Paho's thread.

    def _tell(self, key, value):
        self._loop.call_soon_threadsafe(self._resolve, key, value)

    def _resolve(self, key, value):
        future = self._waiting.pop(key, None)
        if future is None:
            self._early[key] = value
        elif not future.done():
            future.set_result(value)

    async def _wait(self, key):
        """The value of a callback, whichever comes first."""
        if key in self._early:
            return self._early.pop(key)
        future = self._waiting[key] = self._loop.create_future()
        return await asyncio.wait_for(future, 30)

    def _on_message(self, client, userdata, message):
        peer.say(
            {
                "message": message.topic,
                **peer.described(message.payload),
                "qos": message.qos,
                "retain": message.retain,
                "dup": message.dup,
                "properties": plain(message.properties),
            }
        )

    # Commands.

    async def connect(self, command):
        version = VERSIONS[command["version"]]
        is_v5 = version == paho.MQTTv5
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=command.get("client_id", ""),
            clean_session=None if is_v5 else command.get("clean", True),
            protocol=version,
            transport=command["transport"],
            reconnect_on_failure=False,
        )
        if command["transport"] == "websockets":
            client.ws_set_options(path="/mqtt")
        if tls := command.get("tls"):
            client.tls_set(ca_certs=tls["ca"], certfile=tls.get("cert"), keyfile=tls.get("key"))
            if alpn := tls.get("alpn"):
                context = client._ssl_context
                context.set_alpn_protocols([alpn])
        if "username" in command:
            client.username_pw_set(command["username"], command.get("password"))
        if will := command.get("will"):
            client.will_set(
                will["topic"],
                peer.payload(will),
                will["qos"],
                will["retain"],
                properties(PacketTypes.WILLMESSAGE, will.get("properties")) if is_v5 else None,
            )
        client.on_message = self._on_message
        client.on_connect = lambda c, u, flags, code, p: self._tell(
            "connect", {"code": code.value, "session_present": flags.session_present, "properties": plain(p)}
        )
        client.on_connect_fail = lambda c, u: self._tell("connect", {"code": -1, "session_present": False})
        client.on_disconnect = lambda c, u, flags, code, p: peer.say({"disconnected": code.value})
        client.on_publish = lambda c, u, mid, code, p: self._tell(("publish", mid), code.value)
        client.on_subscribe = lambda c, u, mid, codes, p: self._tell(("subscribe", mid), [x.value for x in codes])
        client.on_unsubscribe = lambda c, u, mid, codes, p: self._tell(("subscribe", mid), [x.value for x in codes])
        options = {}
        if is_v5:
            options["clean_start"] = command.get("clean", True)
            options["properties"] = properties(PacketTypes.CONNECT, command.get("properties"))
        self._early.clear()
        self._client = client
        host = command["host"]
        await self._loop.run_in_executor(
            None, lambda: client.connect(host, command.get("port", 1), command.get("keepalive", 60), **options)
        )
        client.loop_start()
        return await self._wait("connect")

    async def subscribe(self, command):
        def options(item):
            if command.get("version") == "3.1.1":
                return (item["filter"], item["qos"])
            return (
                item["filter"],
                SubscribeOptions(
                    qos=item["qos"],
                    noLocal=item.get("no_local", False),
                    retainAsPublished=item.get("retain_as_published", False),
                    retainHandling=item.get("retain_handling", 0),
                ),
            )

        filters = [options(item) for item in command["filters"]]
        _, mid = self._client.subscribe(
            filters, properties=properties(PacketTypes.SUBSCRIBE, command.get("properties"))
        )
        return await self._wait(("subscribe", mid))

    async def unsubscribe(self, command):
        _, mid = self._client.unsubscribe(command["filters"])
        return await self._wait(("subscribe", mid))

    async def publish(self, command):
        info = self._client.publish(
            command["topic"],
            peer.payload(command),
            command["qos"],
            command["retain"],
            properties(PacketTypes.PUBLISH, command.get("properties")),
        )
        return await self._wait(("publish", info.mid))

    async def disconnect(self, command):
        self._client.disconnect()
        await self._loop.run_in_executor(None, self._client.loop_stop)

    async def abort(self, command):
        """Closes the socket without a word."""
        self._client.socket().shutdown(2)
        await self._loop.run_in_executor(None, self._client.loop_stop)


async def main():
    client = Peer()
    peer.say({"ready": "paho"})
    await peer.serve(
        {
            name: getattr(client, name)
            for name in ["connect", "subscribe", "unsubscribe", "publish", "disconnect", "abort"]
        }
    )


peer.run(main)
