// The end of a session at a provider: what came of it here ends too.

import MatrixCore
import Persistence

extension SingleSignOn {
    /// Ends the devices, login tokens and registrations that came of a provider's session.
    ///
    /// - Parameter user: whose session it is, where the provider says so: those of others are left alone.
    package func end(_ session: ProviderSession, of user: UserID?) async throws {
        guard session.session != nil else { return }
        let devices = try await database.write { connection in
            try SignOnRegistrationStore.delete(of: session, on: connection)
            try LoginTokenStore.delete(of: session, on: connection)
            return try ExternalIDStore.devices(of: session, on: connection)
        }
        for (owner, device) in devices {
            guard user == nil || owner == user else {
                logger.warning(
                    "a provider ended a session that is somebody else's here; see backchannel_logout_ignore_sub",
                    metadata: ["provider": "\(session.provider)", "user": "\(owner)"])
                continue
            }
            try await sessions.deleteDevices([device], of: owner)
            logger.info("a provider ended a session", metadata: ["provider": "\(session.provider)", "user": "\(owner)"])
        }
    }
}

/// Forgets by which session a device was logged in, when the device is deleted.
struct ProviderSessions: DeviceObserver {
    func deleteRows(of device: DeviceID, user: UserID, on connection: any SQLConnection) throws {
        try ExternalIDStore.deleteSession(of: device, of: user, on: connection)
    }
}
