package calendar

// Years are counted from March, so that the leap day comes last, in eras of 400
// years, which all have the same days.

const (
	daysPerEra = 146_097
	epochDay   = 719_468 // days from 0000-03-01 to 1970-01-01
)

var monthNames = [12]string{"january", "february", "march", "april", "may", "june",
	"july", "august", "september", "october", "november", "december"}

var dayNames = [7]string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

// Key returns the surrogate key of a day, yyyymmdd. The day is of one of the
// years 1 to 9999.
func Key(day int32) int64 { return int64(key(civil(day))) }

func key(year, month, day int32) int32 { return year*10_000 + month*100 + day }

// Day returns the day whose Key is key.
func Day(key int64) int32 {
	k := int32(key)
	return fromCivil(k/10_000, k/100%100, k%100)
}

// civil returns the date of a day that is not before 0000-03-01.
func civil(day int32) (year, month, dayOfMonth int32) {
	n := uint32(day + epochDay)
	era, dayOfEra := n/daysPerEra, n%daysPerEra
	yearOfEra := (dayOfEra - dayOfEra/1_460 + dayOfEra/36_524 - dayOfEra/146_096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	// From March on, months have 31, 30, 31, 30, 31 days, again and again.
	m := (5*dayOfYear + 2) / 153
	dayOfMonth = int32(dayOfYear - (153*m+2)/5 + 1)
	year = int32(era*400 + yearOfEra)
	if m < 10 {
		return year, int32(m) + 3, dayOfMonth
	}
	return year + 1, int32(m) - 9, dayOfMonth
}

// fromCivil returns the day of a date that is not before 0000-03-01.
func fromCivil(year, month, dayOfMonth int32) int32 {
	if month <= 2 {
		year--
	}
	era, yearOfEra := year/400, year%400
	dayOfYear := (153*((month+9)%12)+2)/5 + dayOfMonth - 1
	return era*daysPerEra + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - epochDay
}

// weekday returns the day of the week, 1 for Monday to 7 for Sunday.
func weekday(day int32) int32 {
	return (day+epochDay+2)%7 + 1 // 0000-03-01 is a Wednesday
}

// isoWeek returns the week of ISO 8601. It is of the year that has its Thursday.
func isoWeek(day int32) int32 {
	thursday := day - weekday(day) + 4
	year, _, _ := civil(thursday)
	return (thursday-fromCivil(year, 1, 1))/7 + 1
}
