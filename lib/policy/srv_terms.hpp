#pragma once

#include <dynconf/options.hpp>

#include <string>
#include <string_view>

namespace dynconf::policy {

/// What a client asks of SRV records, since whoever answers to its queries may have made them up.
struct srv_terms {
    bool https_only = false;    ///< It has an https endpoint: plain records are not even looked up.
    std::string protects;       ///< The option that asks for more than plain http, as "auth"; empty: none does.
    bool allow_plain = false;   ///< Plain records all the same.
    bool in_domain = false;     ///< The targets of https records have to be in the domain.
};

srv_terms terms_of(const client_options& options, bool https_only);

/// The domain itself, or a name below it. As in DNS, case does not matter.
bool is_in_domain(std::string_view name, std::string_view domain) noexcept;

}  // namespace dynconf::policy
