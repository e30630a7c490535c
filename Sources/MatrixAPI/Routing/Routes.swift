// Every endpoint of the server: one line per file of routes.

package enum Routes {
    package static let all: [Route] = [
        OperationsRoutes.table,
        FederationRoutes.table,
        RoomHistoryRoutes.table,
        SyncRoutes.table,
        DeviceRoutes.table,
        KeyRoutes.table,
        ReceiptRoutes.table,
        ToDeviceRoutes.table,
        TypingRoutes.table,
        VersionsRoutes.table,
        LoginRoutes.table,
        RegistrationRoutes.table,
        RegisterAdminRoutes.table,
        AccountRoutes.table,
        CapabilitiesRoutes.table,
        ProfileRoutes.table,
        AccountDataRoutes.table,
        FilterRoutes.table,
        PushRuleRoutes.table,
        RoomCreationRoutes.table,
        RoomMembershipRoutes.table,
        SendEventRoutes.table,
        AliasRoutes.table,
    ].flatMap { $0 }
}
