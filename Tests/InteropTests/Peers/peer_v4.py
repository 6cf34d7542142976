"""A peer built on mqttxx 4.0.3. usage: peer_v4.py HOST PORT CLIENT_ID; its RPC topic is rpc/r/CLIENT_ID."""

from mqttxx import EventChannelManager, EventMessage, MQTTClient, MQTTConfig, RPCManager

import peer


async def main(host, port, client_id):
    client = MQTTClient(MQTTConfig(broker_host=host, broker_port=int(port), client_id=client_id))
    granted = peer.Granted()
    client.subscribe = granted.watch(client.subscribe)
    await client.connect()

    rpc = RPCManager(client)
    events = EventChannelManager(client)

    async def call(topic, method, params, timeout):
        return await rpc.call(topic, method, params=params, timeout=timeout)

    peer.register_methods(rpc, call)

    @rpc.register("secret")
    async def secret(params):
        # This version has no permission check; its users refuse in the handler.
        raise peer.Refused("Permission denied")

    async def on_call(command):
        return await call(command["topic"], command["method"], command.get("params"), command.get("timeout", 20))

    async def on_ping(command):
        return await rpc.ping(command["topic"])

    async def on_subscribe(command):
        pattern = command["pattern"]

        async def heard(topic, message, properties):
            user_properties = dict(getattr(properties, "UserProperty", None) or [])
            if "event_type" in user_properties:
                event = {
                    "type": "event",
                    "event_type": user_properties["event_type"],
                    # An event of the dual form carries its envelope too; mqttxx 4 hands out the payload as it is.
                    "data": message.get("data") if "event_type" in message else message,
                    "timestamp": float(user_properties["timestamp"]),
                    "source": user_properties["source"],
                }
                peer.say({"heard": pattern, "topic": topic, "message": event})
            else:
                peer.say({"heard": pattern, "topic": topic, "message": message})

        events.subscribe(pattern, heard)
        await granted.wait(pattern)

    async def on_emit(command):
        if event := command.get("event"):
            message = EventMessage(event_type=event["type"], data=event["data"], source=event["source"])
        else:
            message = command["raw"]
        await events.publish(command["topic"], message, qos=command.get("qos", 1))

    await granted.wait(rpc.my_topic)
    peer.say({"ready": rpc.my_topic})
    await peer.serve({"call": on_call, "ping": on_ping, "subscribe": on_subscribe, "emit": on_emit})


peer.run(main)
