// regimen.hpp - what a plug-in is written against: C++20 over abi.h, header-only, one header per concept.
#pragma once
#include "adapter.hpp"
#include "backend.hpp"
#include "custom.hpp"
#include "error.hpp"
#include "model.hpp"
#include "ops.hpp"
#include "options.hpp"
#include "plugin.hpp"
#include "reward.hpp"
#include "strategy.hpp"
#include "tensor.hpp"
#include "train.hpp"
