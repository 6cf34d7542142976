internal import MQTTCore

extension [UserProperty] {
    /// Bytes in a packet: for each its identifier, and name and value with their lengths.
    var encodedSize: Int { reduce(0) { $0 + 5 + $1.name.utf8.count + $1.value.utf8.count } }
}
