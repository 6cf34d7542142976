"""An MQTT client built on gmqtt. It connects, publishes and subscribes as it is told."""

import asyncio
import ssl

import gmqtt

import peer

VERSIONS = {"3.1.1": gmqtt.constants.MQTTv311, "5.0": gmqtt.constants.MQTTv50}
NAMES = {
    "ContentType": "content_type",
    "ResponseTopic": "response_topic",
    "CorrelationData": "correlation_data",
    "MessageExpiryInterval": "message_expiry_interval",
    "UserProperty": "user_property",
    "SubscriptionIdentifier": "subscription_identifier",
    "SessionExpiryInterval": "session_expiry_interval",
}


def properties(values):
    """From JSON, to gmqtt's names."""
    result = {NAMES[name]: value for name, value in (values or {}).items()}
    if "user_property" in result:
        result["user_property"] = [tuple(pair) for pair in result["user_property"]]
    if "correlation_data" in result:
        result["correlation_data"] = result["correlation_data"].encode()
    return result


def plain(values):
    """gmqtt's properties as JSON, with the names that are used there."""
    result = {}
    for name, own in NAMES.items():
        if own in values:
            value = values[own]
            is_list = name in ("UserProperty", "SubscriptionIdentifier")
            value = value if is_list else value[0]
            result[name] = value.decode() if isinstance(value, bytes) else value
    return result


class Peer:
    def __init__(self):
        self._client = None
        self._session_present = False
        self._waiting = {}
        self._early = {}

    def _resolve(self, mid, value):
        if mid in self._waiting:
            self._waiting.pop(mid).set_result(value)
        else:
            self._early[mid] = value

    async def _wait(self, mid):
        if mid in self._early:
            return self._early.pop(mid)
        future = self._waiting[mid] = asyncio.get_running_loop().create_future()
        return await asyncio.wait_for(future, 30)

    def _on_message(self, client, topic, payload, qos, values):
        peer.say(
            {
                "message": topic,
                **peer.described(payload),
                "qos": qos,
                "retain": bool(values["retain"]),
                "dup": bool(values["dup"]),
                "properties": plain(values),
            }
        )
        return 0

    def _on_connect(self, client, flags, code, values):
        self._session_present = bool(flags)

    # Commands.

    async def connect(self, command):
        will = command.get("will")
        if will:
            will = gmqtt.Message(
                will["topic"], peer.payload(will), will["qos"], will["retain"],
                **properties(will.get("properties"))
            )
        client = gmqtt.Client(
            command.get("client_id", ""),
            clean_session=command.get("clean", True),
            will_message=will,
            **properties(command.get("properties"))
        )
        client.set_config({"reconnect_retries": 0})
        client.on_message = self._on_message
        client.on_connect = self._on_connect
        client.on_disconnect = lambda c, packet, exc=None: peer.say({"disconnected": 0})
        client.on_subscribe = lambda c, mid, codes, values: self._resolve(mid, list(codes))
        client.on_unsubscribe = lambda c, mid, codes: self._resolve(mid, list(codes or []))
        if "username" in command:
            client.set_auth_credentials(command["username"], command.get("password"))
        context = False
        if tls := command.get("tls"):
            context = ssl.create_default_context(cafile=tls["ca"])
            if tls.get("cert"):
                context.load_cert_chain(tls["cert"], tls["key"])
        self._client = client
        try:
            await asyncio.wait_for(
                client.connect(
                    command["host"], command["port"], ssl=context, keepalive=command.get("keepalive", 60),
                    version=VERSIONS[command["version"]]
                ),
                30,
            )
        except gmqtt.mqtt.handler.MQTTConnectError as refusal:
            return {"code": refusal._code, "session_present": False}
        return {"code": 0, "session_present": self._session_present}

    async def subscribe(self, command):
        is_v5 = command["version"] == "5.0"
        filters = [
            gmqtt.Subscription(
                item["filter"],
                qos=item["qos"],
                no_local=is_v5 and item.get("no_local", False),
                retain_as_published=is_v5 and item.get("retain_as_published", False),
                retain_handling_options=item.get("retain_handling", 0) if is_v5 else 0,
            )
            for item in command["filters"]
        ]
        return await self._wait(self._client.subscribe(filters, **properties(command.get("properties"))))

    async def unsubscribe(self, command):
        return await self._wait(self._client.unsubscribe(command["filters"]))

    async def publish(self, command):
        self._client.publish(
            command["topic"],
            peer.payload(command),
            qos=command["qos"],
            retain=command["retain"],
            **properties(command.get("properties"))
        )
        # It keeps what is not acknowledged, and has no other word for it.
        await asyncio.wait_for(self._client._persistent_storage.wait_empty(), 30)
        return 0

    async def disconnect(self, command):
        try:
            await self._client.disconnect()
        except ssl.SSLError:
            # asyncio minds what was on its way when it said farewell.
            pass

    async def abort(self, command):
        """Closes the socket without a word."""
        self._client._is_active = False
        self._client._connection._transport.abort()


async def main():
    client = Peer()
    peer.say({"ready": "gmqtt"})
    await peer.serve(
        {
            name: getattr(client, name)
            for name in ["connect", "subscribe", "unsubscribe", "publish", "disconnect", "abort"]
        }
    )


peer.run(main)
