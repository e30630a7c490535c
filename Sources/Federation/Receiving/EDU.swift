// What servers tell each other that is part of no room's history. Server-Server API §EDUs.

import MatrixCore

/// An ephemeral data unit of a transaction, as another server sent it. Nothing in it has been checked.
package struct EDU: Sendable {
    /// `edu_type`.
    package let type: ByteString
    package let content: JSON

    package init(type: ByteString, content: JSON) {
        self.type = type
        self.content = content
    }

    /// - Returns: nil for what is not of this form.
    package init?(_ json: JSON) {
        guard let type = json["edu_type"]?.byteString, let content = json["content"], content.isObject else { return nil }
        self.init(type: type, content: content)
    }
}

/// Takes in what other servers tell.
package protocol EDUReceiver: Sendable {
    /// Takes in an EDU that `origin` has signed. What is wrong with it, or none of that server's business, is dropped without an error.
    ///
    /// - Throws: where it could not be stored and should be sent again.
    func receive(_ edu: EDU, from origin: ServerName) async throws
}
