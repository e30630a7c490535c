// The identifiers of events and of devices. Appendices §Event IDs; Client-Server API §Relationship between access tokens and devices.

/// `$` and the event's reference hash since room version 3, `$opaque:domain` before. Opaque to all but the room version.
package struct EventID: MatrixIdentifier {
    package let text: ByteString

    package init(parsing string: String) throws(IdentifierError) {
        let bytes = string.utf8
        guard bytes.count > 1 else { throw IdentifierError(subject: "event ID", reason: .empty) }
        guard bytes.first == UInt8(ascii: "$") else { throw IdentifierError(subject: "event ID", reason: .wrongSigil) }
        guard bytes.count <= CommonIdentifier.byteLimit else { throw IdentifierError(subject: "event ID", reason: .tooLong) }
        guard !bytes.contains(0) else { throw IdentifierError(subject: "event ID", reason: .invalidCharacter) }
        text = ByteString(string)
    }

    package init(trusted string: String) {
        text = ByteString(string)
    }
}

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
