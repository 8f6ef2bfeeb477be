#include <dynconf/detail/facet.hpp>

#include "etcd/client_access.hpp"

#include <stdexcept>

namespace dynconf::detail {

call_origin::call_origin(const client& c) : core(client_access::core(c)), prefix(c.prefix()), sealer(client_access::sealer(c)) {}

void require_positive(std::chrono::milliseconds limit) {
    if (limit <= std::chrono::milliseconds(0)) throw std::invalid_argument("dynconf: a timeout must be positive");
}

}  // namespace dynconf::detail
