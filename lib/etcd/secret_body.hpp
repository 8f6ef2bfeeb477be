#pragma once

#include "crypto/wiped.hpp"

#include <string>

namespace dynconf::etcd {

/// What a request or an answer had to hold as plain text.
inline secret as_secret(std::string text) {
    secret made(text);
    wipe(text);
    return made;
}

}  // namespace dynconf::etcd
