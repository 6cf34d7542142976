// `import MQTTX` is all that a program needs: the layers below, the core's types in their signatures, and the buffer that
// payloads are.
@_exported public import MQTTCore
@_exported public import MQTTXClient
@_exported public import MQTTXProtocol

@_exported public import struct NIOCore.ByteBuffer
