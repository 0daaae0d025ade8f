// Tests of Hypervisor.
