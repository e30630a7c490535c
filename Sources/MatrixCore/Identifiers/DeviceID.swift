// The identifiers of devices. Client-Server API §Relationship between access tokens and devices.

/// The opaque name of a client device.
package struct DeviceID: MatrixIdentifier {
    /// Our own limit: the specification sets none, and the ID is stored with every event the device sends.
    package static let byteLimit = 512

    package let text: ByteString

    package init(parsing string: String) throws(IdentifierError) {
        guard !string.isEmpty else { throw IdentifierError(subject: "device ID", reason: .empty) }
        guard string.utf8.count <= Self.byteLimit else { throw IdentifierError(subject: "device ID", reason: .tooLong) }
        guard !string.utf8.contains(0) else { throw IdentifierError(subject: "device ID", reason: .invalidCharacter) }
        text = ByteString(string)
    }

    package init(trusted string: String) {
        text = ByteString(string)
    }
}
