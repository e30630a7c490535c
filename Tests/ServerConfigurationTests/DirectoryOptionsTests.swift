// The options of the directories, of calls and of discovery.

import MatrixCore
import ServerConfiguration
import Testing

@Suite struct DirectoryOptionsTests {
    @Test("rules are read in their order, with everything where nothing is said")
    func rules() throws {
        let configuration = try settings(
            """
            alias_creation_rules:
              - {user_id: '@bot:*', action: allow}
              - {alias: '#secret*', action: deny}
              - {action: allow}
            room_list_publication_rules: [{room_id: '!a*', action: allow}]
            enable_room_list_search: false
            """)
        #expect(
            configuration.aliasCreationRules == [
                DirectoryRule(isAllowing: true, user: "@bot:*"), DirectoryRule(isAllowing: false, alias: "#secret*"),
                DirectoryRule(isAllowing: true),
            ])
        #expect(configuration.roomListPublicationRules == [DirectoryRule(isAllowing: true, room: "!a*")])
        #expect(!configuration.enableRoomListSearch)
        let plain = try settings("")
        #expect(plain.aliasCreationRules == [DirectoryRule(isAllowing: true)] && plain.roomListPublicationRules.isEmpty)
    }

    @Test(
        "a rule without a proper action is an error with its place",
        arguments: [
            "alias_creation_rules: [{user_id: '@a:b'}]", "room_list_publication_rules: [{action: maybe}]", "alias_creation_rules: all",
        ])
    func wrongRules(text: String) throws {
        let result = try read(text)
        #expect(result.configuration == nil && result.errors.count == 1)
    }

    @Test("what clients are told of the server")
    func wellKnown() throws {
        let configuration = try settings(
            """
            public_baseurl: https://matrix.example.com
            serve_server_wellknown: true
            default_identity_server: https://id.example.com
            extra_well_known_client_content: {org.example.map: {zoom: 3, styles: [dark, 1.5, true, null]}}
            """
        ).wellKnown
        #expect(configuration.isClientServed && configuration.isServerServed)
        #expect(configuration.identityServer == "https://id.example.com")
        #expect(
            configuration.extraClientContent == [
                "org.example.map": .object(["zoom": 3, "styles": .array(["dark", .double(1.5), true, .null])])
            ])
        #expect(try !settings("").wellKnown.isClientServed)
        #expect(try read("extra_well_known_client_content: {m.homeserver: {base_url: x}}").errors.count == 1)
    }

    @Test("the relay for calls and the user directory")
    func others() throws {
        let configuration = try settings(
            """
            turn_uris: ["turn:turn.example.com?transport=udp"]
            turn_shared_secret: hush
            turn_user_lifetime: 2h
            turn_allow_guests: false
            user_directory:
              enabled: false
              search_all_users: true
              prefer_local_users: true
              show_locked_users: true
              exclude_remote_users: true
            """)
        #expect(configuration.turn.uris == ["turn:turn.example.com?transport=udp"] && configuration.turn.sharedSecret == "hush")
        #expect(configuration.turn.userLifetime == .seconds(7200) && !configuration.turn.allowsGuests)
        let directory = configuration.userDirectory
        #expect(!directory.isEnabled && directory.searchesAllUsers && directory.prefersLocalUsers)
        #expect(directory.showsLockedUsers && directory.excludesRemoteUsers)
    }
}
