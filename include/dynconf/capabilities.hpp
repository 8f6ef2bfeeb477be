#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/error.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace dynconf {

/// What the server behind one endpoint can do, found out without changing anything.
struct endpoint_capabilities {
    /// How a gateway writes a refusal: which of its two generations it is, whatever etcd's version.
    enum class error_shape : std::uint8_t { unknown, with_error_member, code_and_message };
    enum class auth_mode : std::uint8_t { unknown, off, on };
    /// How a member makes its tokens (`--auth-token`).
    enum class token_kind : std::uint8_t {
        unknown,   ///< The client has no credentials, or they did not get one.
        simple,    ///< Each use renews it, at the member that it was sent to.
        jwt,       ///< Signed; of a fixed life, and refused after any change of users, roles and permissions.
    };
    /// What the answer to a progress request proves.
    enum class progress : std::uint8_t {
        unknown,
        may_overtake,    ///< Nothing: it can overtake events that are still to come (before 3.4.25 and 3.5.8).
        trustworthy,     ///< That everything up to its revision was delivered.
    };

    std::string endpoint;
    error cause;                    ///< Why it could not be asked; no code: it could.
    std::string version;            ///< "3.5.16"
    std::string cluster_version;    ///< What all members agree on: "3.5.0".
    std::string storage_version;    ///< From 3.6 on.
    bool gateway = false;           ///< The JSON gateway is switched on.
    bool auth_status = false;       ///< /v3/auth/status; from 3.5 on, as the next two.
    bool hash_kv = false;           ///< /v3/maintenance/hashkv
    bool downgrade = false;         ///< /v3/maintenance/downgrade
    bool readyz = false;            ///< GET /readyz; from 3.4.29 and 3.5.11 on.
    error_shape errors = error_shape::unknown;
    auth_mode auth = auth_mode::unknown;
    token_kind tokens = token_kind::unknown;
    progress progress_answers = progress::unknown;
};

/// What maintenance::probe() found.
struct capability_report {
    std::vector<endpoint_capabilities> endpoints;   ///< In the client's order.

    /// For people, a line each.
    DYNCONF_API std::string text() const;
};

}  // namespace dynconf
