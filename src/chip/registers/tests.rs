use super::*;
use crate::core::fact::Errno;
use proptest::prelude::*;

/// All registers of a chip. What is written is kept. Each read of `torn` counts it up.
struct Memory {
    bytes: [u8; 256],
    longest: usize,
    torn: Option<u8>,
    reads: usize,
}

impl Memory {
    fn of(bytes: &[(u8, u8)]) -> Memory {
        let mut memory = Memory {
            bytes: [0; 256],
            longest: 32,
            torn: None,
            reads: 0,
        };
        for (register, byte) in bytes {
            memory.bytes[usize::from(*register)] = *byte;
        }
        memory
    }
}

impl Bus for Memory {
    fn read(&mut self, address: u8, register: u8, into: &mut [u8]) -> Result<(), Errno> {
        if address != 0x2d || into.len() > self.longest {
            return Err(Errno(121));
        }
        self.reads += 1;
        for (to, at) in into.iter_mut().zip(usize::from(register)..) {
            *to = self.bytes[at % 256];
            if self.torn == u8::try_from(at).ok() {
                self.bytes[at] = self.bytes[at].wrapping_add(1);
            }
        }
        Ok(())
    }

    fn write(&mut self, _: u8, register: u8, bytes: &[u8]) -> Result<(), Errno> {
        self.bytes[usize::from(register)] = bytes[0];
        Ok(())
    }
}

const FIELD: Field = Field {
    register: 0x20,
    order: Order::LowFirst,
    mask: u16::MAX,
    encoding: Encoding::Binary,
    signed: false,
    times: 1,
    divided_by: 1,
    plus: 0,
    most: None,
};

const PLAIN: Manner = Manner {
    bytewise: false,
    alike: 1,
};

fn layout() -> Layout {
    Layout {
        manner: PLAIN,
        proof: Proof::default(),
        voltage: Some(FIELD),
        charge: None,
        current: None,
        charging_positive: true,
    }
}

/// Scales of boards: what their makers' code makes of these bytes.
#[test]
fn scales_of_boards() {
    // An IP5209: 14 bits with a sign, 2600 mV and 0.26855 mV for each of them.
    let voltage = Field {
        register: 0xA2,
        mask: 0x3FFF,
        signed: true,
        times: 26_855,
        divided_by: 100_000,
        plus: 2_600,
        ..FIELD
    };
    assert_eq!(voltage.quantity(5_000, 1), Some(2_600 + 1_342));
    assert_eq!(voltage.quantity(0x3FFF, 1), Some(2_600), "it is -1");
    assert_eq!(voltage.quantity(0x2000, 1), Some(2_600 - 2_199));
    // A CW2015: 305 uV in 14 bits; its percent has no meaning above 100.
    let voltage = Field {
        mask: 0x3FFF,
        times: 305,
        divided_by: 1_000,
        ..FIELD
    };
    assert_eq!(voltage.quantity(12_459, 1), Some(3_799));
    let charge = Field {
        order: Order::Byte,
        most: Some(100),
        ..FIELD
    };
    assert_eq!(charge.quantity(100, 10), Some(1_000));
    assert_eq!(charge.quantity(101, 10), None);
    // 256ths of a percent, in thousandths of all.
    let charge = Field {
        divided_by: 256,
        ..FIELD
    };
    assert_eq!(charge.quantity(0x3280, 10), Some(505));
    // A UPS PIco: 3.97 V in decimal digits; a Witty Pi: whole volts and hundredths.
    let digits = Field {
        encoding: Encoding::Bcd,
        times: 10,
        ..FIELD
    };
    assert_eq!(digits.quantity(0x0397, 1), Some(3_970));
    assert_eq!(digits.quantity(0x039A, 1), None);
    let parts = Field {
        encoding: Encoding::Hundredths,
        times: 10,
        ..FIELD
    };
    assert_eq!(parts.quantity(0x0543, 1), Some(5_670));
    assert_eq!(parts.quantity(0x0564, 1), None);
    // Bits in the middle of a byte count from one.
    let bits = Field {
        order: Order::Byte,
        mask: 0b0011_0000,
        ..FIELD
    };
    assert_eq!(bits.quantity(0b0110_1111, 1), Some(2));
}

/// The order of bytes is that of the layout, whether they come together or one by one.
#[test]
fn orders_of_bytes() {
    let mut memory = Memory::of(&[(0x20, 0x10), (0x21, 0x0E)]);
    for bytewise in [false, true] {
        memory.longest = if bytewise { 1 } else { 2 };
        let manner = Manner { bytewise, alike: 1 };
        for (order, value) in [
            (Order::LowFirst, 0x0E10),
            (Order::HighFirst, 0x100E),
            (Order::Byte, 0x10),
        ] {
            let field = Field { order, ..FIELD };
            assert_eq!(
                field.read(&mut memory, 0x2d, manner, 1),
                Ok(value),
                "{order:?}"
            );
        }
    }
}

/// A high byte that changes between two reads belongs to another moment: it is read until it does not,
/// and if it never stays, nothing is told. So is a value that must be read alike several times.
#[test]
fn values_of_two_moments_are_not_believed() {
    let bytewise = Manner {
        bytewise: true,
        alike: 1,
    };
    let mut memory = Memory::of(&[]);
    memory.torn = Some(0x21);
    assert_eq!(
        FIELD.read(&mut memory, 0x2d, bytewise, 1),
        Err(Trouble::Implausible)
    );
    assert_eq!(memory.reads, 3 * READS);
    let alike = Manner {
        bytewise: false,
        alike: 3,
    };
    let mut memory = Memory::of(&[(0x20, 7)]);
    assert_eq!(FIELD.read(&mut memory, 0x2d, alike, 1), Ok(7));
    assert_eq!(memory.reads, 3);
    memory.torn = Some(0x20);
    assert_eq!(
        FIELD.read(&mut memory, 0x2d, alike, 1),
        Err(Trouble::Implausible)
    );
}

/// A chip is told by its id, is woken up once, and tells voltage, charge and current with their signs.
#[test]
fn a_chip_tells_what_its_layout_says() {
    let mut memory = Memory::of(&[(0, 0x0A), (0x0A, 0xC0), (0x20, 0x10), (0x21, 0x0E)]);
    (memory.bytes[0x22], memory.bytes[0x23]) = (0x0C, 0xFE);
    memory.bytes[0x24] = 87;
    let layout = Layout {
        proof: Proof {
            id: Some(Id {
                register: 0,
                value: 0x0A,
            }),
            wake: Some(Wake {
                register: 0x0A,
                mask: 0xC0,
                value: 0,
            }),
        },
        charge: Some(Field {
            register: 0x24,
            order: Order::Byte,
            ..FIELD
        }),
        current: Some(Field {
            register: 0x22,
            signed: true,
            ..FIELD
        }),
        ..layout()
    };
    let mut chip = Registers::new(0x2d, layout.clone());
    assert_eq!(chip.poll(&mut memory), Err(Trouble::NotReady));
    assert_eq!(memory.bytes[0x0A], 0);
    let sample = Sample {
        voltage: Some(Millivolts(3_600)),
        charge: Some(Permille(870)),
        current: Some(Milliamps(-500)),
    };
    assert_eq!(chip.poll(&mut memory), Ok(sample));
    let other = Layout {
        charging_positive: false,
        ..layout
    };
    let current = Some(Milliamps(500));
    let turned = Registers::new(0x2d, other).poll(&mut memory);
    assert_eq!(turned, Ok(Sample { current, ..sample }));
    memory.bytes[0x24] = 103;
    assert_eq!(chip.poll(&mut memory).unwrap().charge, Some(Permille(1000)));
    memory.bytes[0] = 0x0B;
    assert_eq!(chip.poll(&mut memory), Err(Trouble::Implausible));
    let mut nobody = Registers::new(0x2e, chip.layout.clone());
    assert_eq!(nobody.poll(&mut memory), Err(Trouble::Bus(Errno(121))));
}

/// Less than nothing is neither a voltage nor a charge.
#[test]
fn less_than_nothing_is_not_believed() {
    let below = Field { plus: -1, ..FIELD };
    for layout in [
        Layout {
            voltage: Some(below),
            ..layout()
        },
        Layout {
            voltage: None,
            charge: Some(below),
            ..layout()
        },
    ] {
        let polled = Registers::new(0x2d, layout).poll(&mut Memory::of(&[]));
        assert_eq!(polled, Err(Trouble::Implausible));
    }
}

/// Any field, as a board file may have it.
pub fn any_field() -> impl Strategy<Value = Field> {
    let order = prop_oneof![
        Just(Order::Byte),
        Just(Order::HighFirst),
        Just(Order::LowFirst)
    ];
    let encoding = prop_oneof![
        Just(Encoding::Binary),
        Just(Encoding::Bcd),
        Just(Encoding::Hundredths)
    ];
    let scale = (1..=1_000_000u32, 1..=1_000_000u32, -100_000..=100_000i32);
    let most = proptest::option::of(1..=100_000u32);
    let parts = (any::<u8>(), order, 1..=u16::MAX, encoding, any::<bool>());
    (parts, scale, most).prop_map(|(parts, (times, divided_by, plus), most)| Field {
        register: parts.0,
        order: parts.1,
        mask: parts.2,
        encoding: parts.3,
        signed: parts.4,
        times,
        divided_by,
        plus,
        most,
    })
}

proptest! {
    /// Whatever the layout and the bytes: no panic, and what is told is within what is believed.
    #[test]
    fn any_layout_reads_any_bytes(
        field in any_field(), raw: u16, fine in prop_oneof![Just(1i64), Just(10)],
    ) {
        if let Some(value) = field.quantity(raw, fine) {
            let most = i64::from(u16::MAX) * 1_000_000 * fine + 100_000 * fine;
            prop_assert!(value.abs() <= most);
            prop_assert!(field.most.is_none_or(|most| value <= i64::from(most) * fine));
        }
    }

    /// A plain binary number survives its way through the registers, in each order and with its sign.
    #[test]
    fn numbers_survive(value: i16, high_first: bool, bytewise: bool) {
        let order = if high_first { Order::HighFirst } else { Order::LowFirst };
        let bytes = if high_first { value.to_be_bytes() } else { value.to_le_bytes() };
        let field = Field { order, signed: true, ..FIELD };
        let mut memory = Memory::of(&[(0x20, bytes[0]), (0x21, bytes[1])]);
        let read = field.read(&mut memory, 0x2d, Manner { bytewise, alike: 2 }, 1);
        prop_assert_eq!(read, Ok(i64::from(value)));
    }
}
