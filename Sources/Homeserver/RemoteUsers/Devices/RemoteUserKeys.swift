// The devices and keys of a user as their server tells them, checked. Server-Server API §Device Management, §End-to-End Encryption.

import MatrixCore
import Persistence

/// What another server answers about one of its users. What is wrong in it is left out: the devices of others do not suffer for it.
package struct RemoteUserKeys: Sendable, Hashable {
    package let user: UserID
    /// The last change in it; empty where the server did not say.
    package let streamID: ByteString
    /// In the order of their ids, each once.
    package let devices: [DeviceKeysRow]
    /// The master key, and the self-signing key that it has signed.
    package let crossSigningKeys: [CrossSigningKeyRow]

    /// The devices of one user of which account is kept, and the bytes of their keys.
    package static let deviceLimit = 1000
    package static let byteLimit = 2 << 20

    /// Whether it is of a size that is kept and followed.
    package var isKeepable: Bool {
        devices.count <= Self.deviceLimit && devices.reduce(0) { $0 + $1.json.count } <= Self.byteLimit
    }

    private init(
        user: UserID, streamID: ByteString, devices: some Sequence<(DeviceID, DeviceKeysRow)>, master: JSON?, selfSigning: JSON?
    ) {
        self.user = user
        self.streamID = streamID
        // Of a device that is named twice, the last one counts.
        self.devices = Dictionary(devices) { $1 }.values.sorted { $0.device < $1.device }
        crossSigningKeys = RemoteCrossSigningKeys(of: user, master: master, selfSigning: selfSigning, known: nil).rows
    }

    /// What is stored of a user, in the order in which it is read; of the last change only the list itself knows.
    package init(user: UserID, stored devices: [DeviceKeysRow], crossSigningKeys: [CrossSigningKeyRow]) {
        self.user = user
        streamID = ""
        self.devices = devices
        self.crossSigningKeys = crossSigningKeys
    }

    /// The answer of GET /user/devices/{userId}.
    ///
    /// - Returns: nil for what is no such answer.
    package init?(devicesAnswer answer: JSON, of user: UserID) {
        guard answer["user_id"].map({ $0.byteString == user.text }) ?? true, let list = answer["devices"], list.isArray,
            let streamID = answer["stream_id"].flatMap({ DeviceListUpdate.streamID($0) })
        else { return nil }
        let devices = list.elements.lazy.compactMap { entry -> (DeviceID, DeviceKeysRow)? in
            guard let device = entry["device_id"]?.string.flatMap({ DeviceID(valid: $0) }), let keys = entry["keys"],
                let row = DeviceKeysRow(remote: keys, of: device, of: user, displayName: entry["device_display_name"])
            else { return nil }
            return (device, row)
        }
        self.init(
            user: user, streamID: streamID, devices: devices, master: answer["master_key"], selfSigning: answer["self_signing_key"])
    }

    /// One user of the answer of POST /user/keys/query.
    ///
    /// - Returns: nil where the answer does not name the user.
    package init?(keysAnswer answer: JSON, of user: UserID) {
        guard let members = answer["device_keys"]?[user.text], members.isObject else { return nil }
        let devices = members.members.lazy.compactMap { name, keys -> (DeviceID, DeviceKeysRow)? in
            guard let device = DeviceID(valid: name.string),
                let row = DeviceKeysRow(
                    remote: keys, of: device, of: user, displayName: keys["unsigned"]?["device_display_name"])
            else { return nil }
            return (device, row)
        }
        self.init(
            user: user, streamID: "", devices: devices, master: answer["master_keys"]?[user.text],
            selfSigning: answer["self_signing_keys"]?[user.text])
    }
}

/// The cross-signing keys that a server tells of one of its users.
package struct RemoteCrossSigningKeys: Sendable {
    /// Those that are what they should be.
    package let rows: [CrossSigningKeyRow]

    /// - Parameter known: the master key that is stored, for a self-signing key that comes alone.
    package init(of user: UserID, master: JSON?, selfSigning: JSON?, known: CrossSigningKey?) {
        func key(_ json: JSON?, _ usage: CrossSigningUsage) -> CrossSigningKey? {
            guard let json, !json.isNull else { return nil }
            do { return try CrossSigningKey(json, usage: usage, of: user) } catch { return nil }
        }
        let newMaster = key(master, .master)
        var keys = [newMaster]
        if let own = key(selfSigning, .selfSigning), (newMaster ?? known)?.signed(own.content, as: user) == true { keys.append(own) }
        rows = keys.compactMap { $0 }.map {
            CrossSigningKeyRow(user: user, usage: $0.usage, publicKey: $0.publicKey, json: $0.json)
        }
    }
}

extension DeviceKeysRow {
    /// The longest display name that is kept, in Unicode scalars.
    private static let displayNameLimit = 255

    /// The keys of a device as another server tells them. Whether the signatures are right, its users' devices check, as they do with keys
    /// of this server.
    ///
    /// - Returns: nil for what cannot be the keys of this device.
    init?(remote keys: JSON, of device: DeviceID, of user: UserID, displayName: JSON?) {
        guard keys.isObject, keys.byteRange.count <= KeyUpload.deviceKeysLimit,
            keys["user_id"].map({ $0.byteString == user.text }) ?? true, keys["device_id"].map({ $0.byteString == device.text }) ?? true,
            keys["keys"].map(SignedKeys.isMapOfStrings) ?? true, keys["signatures"].map(SignedKeys.isSignatures) ?? true
        else { return nil }
        let json = keys.canonicalBytes(omitting: ["unsigned"])
        // Something must be in it: `unsigned` is added behind the rest.
        guard json.count > 2 else { return nil }
        let name = displayName?.string.map {
            storable(String(String.UnicodeScalarView($0.unicodeScalars.prefix(Self.displayNameLimit))))
        }
        self.init(user: user, device: device, displayName: name, json: json)
    }
}
