#pragma once

// All of dynconf. Each header also stands alone.

#include <dynconf/auth.hpp>
#include <dynconf/capabilities.hpp>
#include <dynconf/claim.hpp>
#include <dynconf/client.hpp>
#include <dynconf/cluster.hpp>
#include <dynconf/condition.hpp>
#include <dynconf/config/control_unit.hpp>
#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/manager.hpp>
#include <dynconf/config/schema.hpp>
#include <dynconf/config/settings.hpp>
#include <dynconf/config/snapshot.hpp>
#include <dynconf/config/source.hpp>
#include <dynconf/config/status.hpp>
#include <dynconf/config/values_by_keys.hpp>
#include <dynconf/election.hpp>
#include <dynconf/endpoint.hpp>
#include <dynconf/error.hpp>
#include <dynconf/kv.hpp>
#include <dynconf/lease.hpp>
#include <dynconf/lock.hpp>
#include <dynconf/maintenance.hpp>
#include <dynconf/mirror.hpp>
#include <dynconf/options.hpp>
#include <dynconf/outcome_resolver.hpp>
#include <dynconf/registration.hpp>
#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>
#include <dynconf/watch.hpp>
#include <dynconf/write_outcome.hpp>
