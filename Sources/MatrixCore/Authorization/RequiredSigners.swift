// Whose signatures an event needs. Rooms §Authorisation rules ("Events must be signed by …"), rule 5.2;
// Server-Server API §Validating hashes and signatures on received events.

/// The servers that must have signed `event`.
///
/// - The sender's server, except for an invite that answers a third-party invite: its sender is a user of another server,
///   and rule 5.4.1 ties it to the third-party invite's signature instead.
/// - In room versions 1 and 2: the server that chose the event ID.
/// - Rule 5.2.1: the server of the user that authorised a restricted join. As other servers do, only joins are held to it.
package func requiredSigners(of event: Event) throws(AuthRejection) -> [ServerName] {
    var signers: [ServerName] = []
    func append(_ server: ServerName) {
        if !signers.contains(server) { signers.append(server) }
    }
    let membership = event.type == "m.room.member" ? event.membership : nil
    let content = membership == .invite || membership == .join ? event.content() : nil

    if !(membership == .invite && content?["third_party_invite"] != nil) {
        append(event.sender.server)
    }
    if event.version.eventFormat == .explicitIDs, let server = event.id.server {
        append(server)
    }
    if event.version.restrictedJoins, membership == .join, let authoriser = content?["join_authorised_via_users_server"] {
        guard let text = authoriser.string, let user = UserID(valid: text) else {
            throw AuthRejection(
                v12: "5.2.1", version: event.version, reason: "join_authorised_via_users_server is not a user id")
        }
        append(user.server)
    }
    return signers
}
