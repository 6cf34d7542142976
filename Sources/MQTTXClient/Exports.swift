// What `import MQTTXClient` users meet in its signatures.

@_exported public import enum MQTTNetwork.Proxy
@_exported public import enum MQTTNetwork.TLSCipherSuite
@_exported public import struct MQTTNetwork.TLSConfig
