#pragma once

#include <dynconf/error.hpp>

#include "policy/backoff.hpp"
#include "policy/srv_terms.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace dynconf::policy {

/// A DNS SRV record (RFC 2782). The target has no dot at its end; the root's is empty.
struct srv_record {
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    std::uint16_t port = 0;
    std::string target;

    friend bool operator==(const srv_record&, const srv_record&) = default;
    friend bool operator<(const srv_record& a, const srv_record& b) {
        return std::tie(a.priority, a.weight, a.port, a.target) < std::tie(b.priority, b.weight, b.port, b.target);
    }
};

/// What the name servers say of one service; none: that there is no such service. An error's detail says all of it.
using srv_answer = result<std::vector<srv_record>>;

/// The names under which a domain announces its etcd to clients, as etcd's own client makes them.
struct srv_names {
    srv_names(std::string domain, const std::string& suffix);

    std::string domain;
    std::string secure;
    std::string plain;
};

struct srv_found {
    bool secure = false;                ///< They are https.
    std::vector<srv_record> records;    ///< At least one.
    std::vector<srv_record> foreign;    ///< Those that were left out, since they are outside of the domain.
};

/// The records of the secure service; those of the plain one where it is known that there is no secure one, and `terms` let
/// it. No answer is not a no, and a no may be forged: else whoever can hold up or send one packet could have the password sent in
/// plain text. errc::discovery_failed names the domain, the services, the causes and the option that would take what was found.
/// `look_up` is called once or twice.
result<srv_found> find_srv(const srv_names& of, const srv_terms& terms,
                           const std::function<srv_answer(const std::string& service)>& look_up);

/// What is said of a target that was left out.
inline constexpr std::string_view outside_of_domain =
    "is outside of the domain, and any authority of the system's store may vouch for it; name your own in tls.ca_file, or set "
    "discovery.allow_foreign_targets";

/// In the order in which clients have to try them: the lowest priority first; within one, each place is drawn by weight.
/// The order of `all` means nothing.
std::vector<srv_record> in_order(std::vector<srv_record> all, const random_source& random);

}  // namespace dynconf::policy
