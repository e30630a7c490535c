// The schema's history. Each migration stands in a file of its own, `M00N_Subject.swift`, as a static of `Migration`.

package enum Migrations {
    /// All migrations, in the order of their numbers.
    package static let all: [Migration] = [
        .rooms,
        .accounts,
        .devicesAndKeys,
        .relations,
        .membership,
        .unreadAndPresence,
        .search,
        .slidingSync,
        .delayedEvents,
        .roomDirectory,
        .userDirectory,
        .accountEnding,
        .threadSubscriptions,
        .crossSigning,
        .keyBackup,
        .dehydratedDevices,
        .federation,
        .remoteRooms,
        .federationSending,
        .remoteDevices,
        .accountVerification,
        .accountLimits,
        .loginTokens,
        .singleSignOn,
        .retention,
        .partialRooms,
        .media,
        .accountMarks,
        .servicesAndNotices,
        .gapsAndLateEvents,
    ]
}
