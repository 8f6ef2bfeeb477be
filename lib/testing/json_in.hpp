#pragma once

#include "testing/server_profile.hpp"

#include <boost/json/value.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace dynconf::testing {

/// A message that a client sent as JSON, read as the gateway of an etcd reads it. What is not there is zero; what is of the
/// wrong type is thrown as `refusal`, in words like the gateway's.
class json_in {
public:
    json_in(const boost::json::object& message, const server_profile& profile) : message_(&message), profile_(&profile) {}

    bool has(std::string_view name) const { return find(name) != nullptr; }
    std::string bytes(std::string_view name) const;
    std::string text(std::string_view name) const;
    std::int64_t number(std::string_view name) const;
    std::uint64_t id(std::string_view name) const;
    bool flag(std::string_view name) const;
    /// By name or number. An unknown name is refused by the older gateways and is the first value for the newer ones.
    std::int32_t choice(std::string_view name, std::span<const std::string_view> names) const;

    /// `f` is given the inner message, when there is one.
    template <class F>
    bool inner(std::string_view name, F&& f) const {
        const boost::json::value* v = find(name);
        if (!v) return false;
        f(json_in(object_of(*v), *profile_));
        return true;
    }
    template <class F>
    void each(std::string_view name, F&& f) const {
        if (const boost::json::value* v = find(name))
            for (const boost::json::value& item : list_of(*v)) f(json_in(object_of(item), *profile_));
    }
    std::vector<std::string> texts(std::string_view name) const;
    std::vector<std::int32_t> choices(std::string_view name, std::span<const std::string_view> names) const;
    /// At most one of these may be there; the older gateways take the first.
    std::size_t one_of(std::span<const std::string_view> names) const;

private:
    const boost::json::value* find(std::string_view name) const;
    const boost::json::object& object_of(const boost::json::value&) const;
    const boost::json::array& list_of(const boost::json::value&) const;
    std::string text_of(const boost::json::value&) const;
    std::int32_t choice_of(const boost::json::value&, std::span<const std::string_view> names) const;
    [[noreturn]] void mistyped(const boost::json::value&, std::string_view wanted) const;

    const boost::json::object* message_;
    const server_profile* profile_;
};

/// The first JSON value of `body`, which is cut off from its front; what follows is of no interest to an ordinary call.
/// Nothing at all is an empty message.
boost::json::object first_message(std::string_view& body, const server_profile& profile);

}  // namespace dynconf::testing
