#pragma once

namespace dynconf::wire {

/// One visitor of several lambdas, for std::visit.
template <class... Cases>
struct overloaded : Cases... {
    using Cases::operator()...;
};
template <class... Cases> overloaded(Cases...) -> overloaded<Cases...>;

}  // namespace dynconf::wire
