@_exported public import enum MQTTNetwork.TLSCipherSuite
// What the configuration of a broker names.
@_exported public import struct MQTTNetwork.TLSServerConfig
