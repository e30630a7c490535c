// Who acts by the token of an application service. Application Service API §Identity assertion.

import MatrixCore
import Persistence
import ServerConfiguration

/// The application services of the configuration.
package struct ApplicationServices: Sendable {
    package static let loginType = "m.login.application_service"

    private let database: any Database
    private let services: [ApplicationService]
    /// Under the hashes of their tokens: to find one takes no longer for a token that is nearly right.
    private let byToken: [TokenHash: ApplicationService]
    /// The user as whom the server sends notices, which is nobody's.
    private let noticeSender: UserID?

    package init(
        _ configurations: [ApplicationServiceConfiguration], serverName: ServerName, database: any Database, noticeSender: UserID? = nil
    ) {
        self.database = database
        self.noticeSender = noticeSender
        services = configurations.map { ApplicationService($0, serverName: serverName) }
        byToken = Dictionary(zip(configurations.map { TokenHash($0.token) }, services)) { first, _ in first }
    }

    package var isEmpty: Bool { services.isEmpty }

    /// The application service whose token it is and that may come from there.
    package func service(token: String, from address: String) -> ApplicationService? {
        guard !services.isEmpty, let service = byToken[TokenHash(token)], service.mayCome(from: address) else { return nil }
        return service
    }

    /// As whom an application service acts.
    ///
    /// - Parameters:
    ///   - user: who it says it is; nil: its own user.
    ///   - device: and with which device.
    /// - Throws: `M_FORBIDDEN` for users that are not its own, `M_UNKNOWN_DEVICE`, `M_USER_LOCKED`, `M_USER_DEACTIVATED`.
    package func requester(_ service: ApplicationService, as name: String?, device: String?) async throws -> Requester {
        let user =
            try name.map { name throws(MatrixError) in
                guard let user = UserID(valid: name), service.mayAct(as: user) else {
                    throw .forbidden("Application service cannot masquerade as this user (\(name)).")
                }
                return user
            } ?? service.sender
        let device = device.map { DeviceID(trusted: $0) }
        let (account, hasDevice) = try await database.read { connection in
            (
                try AccountStore.account(user, on: connection),
                try device.map { try DeviceStore.exists($0, of: user, on: connection) } ?? true
            )
        }
        guard account != nil || user == service.sender else {
            throw MatrixError.forbidden("Application service has not registered this user (\(user))")
        }
        if account?.isLocked == true { throw MatrixError.userLocked }
        if account?.isDeactivated == true { throw MatrixError.userDeactivated }
        guard hasDevice else {
            throw MatrixError(status: 400, errcode: "M_UNKNOWN_DEVICE", message: "Application service uses a device that does not exist")
        }
        var requester = Requester(user: user, device: device, isAdmin: account?.isAdmin ?? false)
        if let account { requester.take(account) }
        requester.service = service.id
        requester.isRateLimited = service.isRateLimited
        return requester
    }

    // MARK: Names

    /// - Parameter service: who wants to have the user; nil: a person.
    /// - Throws: `M_EXCLUSIVE` for a name that is reserved to an application service, or to this server.
    package func check(_ user: UserID, for service: ApplicationService? = nil) throws(MatrixError) {
        guard user != noticeSender else { throw .exclusive("This user ID is reserved.") }
        if services.contains(where: { $0 !== service && $0.reserves(user) }) {
            throw .exclusive("This user ID is reserved by an application service.")
        }
    }

    /// - Throws: `M_EXCLUSIVE` for an alias that the requester cannot have.
    package func check(_ alias: RoomAlias, for requester: Requester) throws(MatrixError) {
        let own = requester.service.flatMap { id in services.first { $0.id == id } }
        if let own {
            guard own.mayMake(alias) else { throw .exclusive("This application service has not reserved this kind of alias.") }
        } else if services.contains(where: { $0.reserves(alias) }) {
            throw .exclusive("This alias is reserved by an application service.")
        }
    }

    // MARK: Login

    /// The user as whom an application service logs in. Client-Server API §Appservice Login.
    ///
    /// - Throws: `M_EXCLUSIVE` for users that are not its own; `M_FORBIDDEN` for those that there are not, or that are deactivated.
    package func logIn(_ service: ApplicationService, _ submission: JSON) async throws -> UserID {
        guard !service.managesDevices else { throw Self.loginUnsupported }
        guard case .user(let name) = try LoginIdentifier(submission: submission) else {
            throw MatrixError.unknown("Unknown login identifier type", status: 400)
        }
        guard let user = UserID(valid: name.hasPrefix("@") ? name : "@\(name):\(service.sender.server)"), service.mayAct(as: user) else {
            throw MatrixError.exclusive("This application service has not reserved this kind of user.")
        }
        let account = try await database.read { try AccountStore.account(user, on: $0) }
        guard let account, !account.isDeactivated else { throw MatrixError.forbidden("There is no such account") }
        if account.isLocked { throw MatrixError.userLocked }
        return user
    }

    package static let loginUnsupported = MatrixError(
        status: 400, errcode: "M_APPSERVICE_LOGIN_UNSUPPORTED", message: "Application services do not log in on this server")
}
