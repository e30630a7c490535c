// What a browser brings back from a provider that it was sent to.

import MatrixCore

/// The secrets of one way to the provider and back. It is sealed and kept by the browser.
struct OpenIDSession: Sendable, Equatable {
    /// Letters of each secret: more than 256 bits.
    private static let length = 48

    let provider: String
    let purpose: SignOnPurpose
    /// Comes back with the code: an answer to another browser's request is none to this one's.
    let state: String
    /// Comes back in the ID token, which so belongs to this request.
    let nonce: String
    /// Shown when the code is exchanged; nil where the provider does not ask for it. RFC 7636.
    let verifier: String?

    init(provider: String, purpose: SignOnPurpose, usesProofKey: Bool) {
        self.provider = provider
        self.purpose = purpose
        state = SessionToken.randomLetters(Self.length)
        nonce = SessionToken.randomLetters(Self.length)
        verifier = usesProofKey ? SessionToken.randomLetters(Self.length) : nil
    }

    init?(_ json: JSON) {
        guard let provider = json["provider"]?.string, let state = json["state"]?.string, let nonce = json["nonce"]?.string else {
            return nil
        }
        if let session = json["session"]?.string {
            purpose = .confirmation(session: session)
        } else if let client = json["client"]?.string.flatMap({ ClientRedirect($0) }) {
            purpose = .login(client: client)
        } else {
            return nil
        }
        (self.provider, self.state, self.nonce) = (provider, state, nonce)
        verifier = json["verifier"]?.string
    }

    var json: JSONObject {
        var object: JSONObject = ["provider": .string(provider), "state": .string(state), "nonce": .string(nonce)]
        object["verifier"] = verifier.map { .string($0) }
        switch purpose {
        case .login(let client): object["client"] = .string(client.address)
        case .confirmation(let session): object["session"] = .string(session)
        }
        return object
    }
}
