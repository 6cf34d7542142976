"""A peer built on mqttxx 3.1.2. usage: peer_v3.py HOST PORT CLIENT_ID; its RPC topic is peers/CLIENT_ID."""

from mqttxx import ConventionalRPCManager, EventChannelManager, EventMessage, MQTTClient, MQTTConfig

import peer


async def main(host, port, client_id):
    config = MQTTConfig(broker_host=host, broker_port=int(port), client_id=client_id, clean_session=True, num_workers=16)
    client = MQTTClient(config)
    granted = peer.Granted()
    client._do_subscribe = granted.watch(client._do_subscribe)

    async def allows(caller_id, method, request):
        return method != "secret"

    topic = f"peers/{client_id}"
    rpc = ConventionalRPCManager(client, my_topic=topic, auth_callback=allows)
    events = EventChannelManager(client)

    async def call(topic, method, params, timeout):
        return await rpc.call(topic, method, params=params, timeout=timeout)

    peer.register_methods(rpc, call)

    @rpc.register("secret")
    async def secret(params):
        return "never told"

    async def on_call(command):
        return await call(command["topic"], command["method"], command.get("params"), command.get("timeout", 20))

    async def on_subscribe(command):
        pattern = command["pattern"]

        async def heard(topic, message):
            if isinstance(message, EventMessage):
                message = message.to_dict()
            peer.say({"heard": pattern, "topic": topic, "message": message})

        events.subscribe(pattern, heard)
        await granted.wait(pattern)

    async def on_emit(command):
        if event := command.get("event"):
            message = EventMessage(event_type=event["type"], data=event["data"], source=event["source"])
        else:
            message = command["raw"]
        await events.publish(command["topic"], message, qos=command.get("qos", 1))

    await client.connect()
    await granted.wait(topic)
    peer.say({"ready": topic})
    await peer.serve({"call": on_call, "subscribe": on_subscribe, "emit": on_emit})


peer.run(main)
