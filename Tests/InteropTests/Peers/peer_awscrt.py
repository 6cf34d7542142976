"""An MQTT client built on AWS's common runtime, which is written in C. It knows no QoS 2."""

import asyncio

from awscrt import io, mqtt, mqtt5

import peer


class Peer:
    def __init__(self):
        self._loop = asyncio.get_running_loop()
        self._bootstrap = io.ClientBootstrap.get_or_create_static_default()
        self._client = None

    @staticmethod
    def _tls(command):
        tls = command.get("tls")
        if not tls:
            return None
        if "cert" in tls:
            options = io.TlsContextOptions.create_client_with_mtls_from_path(tls["cert"], tls["key"])
        else:
            options = io.TlsContextOptions()
        options.override_default_trust_store_from_path(None, tls["ca"])
        return io.ClientTlsContext(options)

    @staticmethod
    def _say(topic, payload, qos, retain, properties):
        peer.say(
            {
                "message": topic,
                **peer.described(payload),
                "qos": int(qos),
                "retain": retain,
                "properties": properties,
            }
        )

    async def connect(self, command):
        self._is_v5 = command["version"] == "5.0"
        upgrade = (lambda transform_args: transform_args.set_done()) if command["transport"] == "websockets" else None
        if not self._is_v5:
            self._client = mqtt.Connection(
                client=mqtt.Client(self._bootstrap, self._tls(command)),
                host_name=command["host"],
                port=command["port"],
                client_id=command["client_id"],
                clean_session=command["clean"],
                keep_alive_secs=command["keepalive"],
                use_websockets=upgrade is not None,
                websocket_handshake_transform=upgrade,
            )
            answer = await asyncio.wrap_future(self._client.connect())
            return {"code": 0, "session_present": answer["session_present"]}

        connected = self._loop.create_future()

        def end(answer):
            self._loop.call_soon_threadsafe(lambda: connected.done() or connected.set_result(answer))

        def received(data):
            publish = data.publish_packet
            users = [[item.name, item.value] for item in publish.user_properties or []]
            self._say(publish.topic, publish.payload or b"", publish.qos, publish.retain, {"UserProperty": users})

        self._stopped = self._loop.create_future()
        self._client = mqtt5.Client(
            mqtt5.ClientOptions(
                host_name=command["host"],
                port=command["port"],
                bootstrap=self._bootstrap,
                tls_ctx=self._tls(command),
                websocket_handshake_transform=upgrade,
                connect_options=mqtt5.ConnectPacket(
                    client_id=command["client_id"], keep_alive_interval_sec=command["keepalive"]
                ),
                topic_aliasing_options=mqtt5.TopicAliasingOptions(
                    outbound_behavior=mqtt5.OutboundTopicAliasBehaviorType.LRU,
                    outbound_cache_max_size=2,
                    inbound_behavior=mqtt5.InboundTopicAliasBehaviorType.ENABLED,
                    inbound_cache_max_size=2,
                ),
                on_publish_callback_fn=received,
                on_lifecycle_event_connection_success_fn=lambda data: end(
                    {"code": 0, "session_present": data.connack_packet.session_present}
                ),
                on_lifecycle_event_connection_failure_fn=lambda data: end(
                    {"code": int(data.connack_packet.reason_code) if data.connack_packet else -1}
                ),
                on_lifecycle_event_stopped_fn=lambda data: self._loop.call_soon_threadsafe(
                    self._stopped.set_result, None
                ),
            )
        )
        self._client.start()
        return await asyncio.wait_for(connected, 30)

    async def subscribe(self, command):
        filters = command["filters"]
        if self._is_v5:
            suback = await asyncio.wrap_future(
                self._client.subscribe(
                    mqtt5.SubscribePacket(
                        [mqtt5.Subscription(item["filter"], mqtt5.QoS(item["qos"])) for item in filters]
                    )
                )
            )
            return [int(code) for code in suback.reason_codes]
        codes = []
        for item in filters:
            future, _ = self._client.subscribe(
                item["filter"],
                mqtt.QoS(item["qos"]),
                lambda topic, payload, dup, qos, retain, **_: self._say(topic, payload, qos, retain, {}),
            )
            codes.append(int((await asyncio.wrap_future(future))["qos"]))
        return codes

    async def publish(self, command):
        payload = peer.payload(command)
        if self._is_v5:
            users = (command.get("properties") or {}).get("UserProperty", [])
            answer = await asyncio.wrap_future(
                self._client.publish(
                    mqtt5.PublishPacket(
                        topic=command["topic"],
                        payload=payload,
                        qos=mqtt5.QoS(command["qos"]),
                        retain=command["retain"],
                        user_properties=[mqtt5.UserProperty(name, value) for name, value in users],
                    )
                )
            )
            # At QoS 0 there is no code.
            return int(answer.puback.reason_code or 0) if answer.puback else 0
        future, _ = self._client.publish(command["topic"], payload, mqtt.QoS(command["qos"]), command["retain"])
        await asyncio.wrap_future(future)
        return 0

    async def disconnect(self, command):
        if self._is_v5:
            self._client.stop(mqtt5.DisconnectPacket())
            await asyncio.wait_for(self._stopped, 30)
        else:
            await asyncio.wrap_future(self._client.disconnect())


async def main():
    client = Peer()
    peer.say({"ready": "awscrt"})
    await peer.serve({name: getattr(client, name) for name in ["connect", "subscribe", "publish", "disconnect"]})


peer.run(main)
